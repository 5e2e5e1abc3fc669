"""celery_queue with a callback: a separate task delivers the outcome, whatever dies in between."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import httpx
import psutil
import pytest

from patterns import CELERY_QUEUE
from patterns.contract.settings import new_webhook_secret
from tests.support.callback_receiver import receiving
from tests.support.scenarios import Told
from tests.support.serving import Json, Served, Servers
from tests.support.waiting import eventually

_SETTINGS = {
    "KIT_AGENT": "tests.support.agents:by_prompt",
    "KIT_TASK_TIMEOUT_SECONDS": "1",  # and an attempt to deliver its outcome may take longer
    "KIT_WEBHOOK_SECRET": new_webhook_secret(),
    "KIT_WEBHOOK_FIRST_PAUSE_SECONDS": "0.1",
    "KIT_WEBHOOK_MAX_PAUSE_SECONDS": "0.2",
    "KIT_WEBHOOK_ATTEMPTS": "3",
    "KIT_WEBHOOK_TIMEOUT_SECONDS": "3",
}


@dataclass(frozen=True)
class Stories:
    """All that happened."""

    delivered: dict[str, list[Json]]
    shown: Json
    without: Json
    same_key: list[httpx.Response]
    dead: Json
    listed: list[Json]
    before: httpx.Response
    redelivered: httpx.Response
    after: Json
    slow: Json
    told_slowly: int
    told_after_the_kill: int
    after_the_kill: Json


class Receiver:
    """Answers as configured, or holds its answer back."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.status = 204
        self.came: list[str] = []
        self.seconds = 0.0  # that its answer takes
        self.hold = False
        self.let_go = Event()


@contextmanager
def moody_receiver() -> Iterator[Receiver]:
    """A receiver on loopback for as long as the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            receiver.came.append(self.headers["webhook-id"])
            if receiver.hold:
                receiver.let_go.wait(30)
            time.sleep(receiver.seconds)
            self.send_response(receiver.status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the name in the base class
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver = Receiver(f"http://127.0.0.1:{server.server_port}/hook")
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield receiver
    finally:
        receiver.let_go.set()
        server.shutdown()
        server.server_close()


def live_through(servers: Servers) -> Stories:
    """Have every kind of outcome delivered; then refuse a callback until it is given up; then take one slowly; then
    kill the worker during an attempt."""
    served = servers.serve(CELERY_QUEUE, _SETTINGS)
    with receiving() as callbacks, moody_receiver() as moody:
        tasks = {
            "completed": served.called_back("sleeps:0.1", callback_url=callbacks.url),
            "agent_error": served.called_back("raises:no", callback_url=callbacks.url),
            "timeout": served.called_back("catches_everything:", callback_url=callbacks.url),
            "cancelled": served.called_back("sleeps:20", callback_url=callbacks.url),
        }
        served.until(tasks["cancelled"], "running")
        served.cancel(tasks["cancelled"])
        without = served.outcome(served.accept("sleeps:0"))
        for task_id in tasks.values():
            eventually(lambda task_id=task_id: callbacks.about(task_id), bool)  # type: ignore[misc]
        shown = served.until_told(tasks["completed"])

        def again(url: str) -> httpx.Response:
            body = {"prompt": "sleeps:0", "callback_url": url}
            return served.http.post("/agent/submit", json=body, headers={"Idempotency-Key": "one"})

        same_key = [again(callbacks.url), again(callbacks.url), again(moody.url)]

        moody.status = 500
        refused = served.called_back("sleeps:0", callback_url=moody.url)
        before = served.http.post(f"/agent/redeliver/{tasks['completed']}")
        dead = eventually(lambda: served.task(refused), lambda task: task["delivery"]["state"] == "dead")
        listed = served.http.get("/agent/dead-letters").json()
        moody.status = 204
        redelivered = served.http.post(f"/agent/redeliver/{refused}")
        after = served.until_told(refused)

        moody.seconds = 2.0
        slow = served.called_back("sleeps:0", callback_url=moody.url)
        told_slowly = served.until_told(slow)
        moody.seconds = 0.0

        moody.hold = True
        held = served.called_back("sleeps:0", callback_url=moody.url)
        eventually(lambda: f"msg_{held}" in moody.came, bool)
        kill_pool(served)
        moody.hold = False
        after_the_kill = served.until_told(held)
        return Stories(
            delivered={name: callbacks.about(task_id) for name, task_id in tasks.items()},
            shown=shown,
            without=without,
            same_key=same_key,
            dead=dead,
            listed=listed,
            before=before,
            redelivered=redelivered,
            after=after,
            slow=told_slowly,
            told_slowly=moody.came.count(f"msg_{slow}"),
            told_after_the_kill=moody.came.count(f"msg_{held}"),
            after_the_kill=after_the_kill,
        )


def kill_pool(served: Served) -> None:
    """Kill every process in which the worker runs its tasks."""
    (worker,) = served.running.workers
    for child in psutil.Process(worker.pid).children():
        child.send_signal(signal.SIGKILL)


@pytest.fixture(scope="module")
def stories(told: Told) -> Stories:
    """What happened."""
    stories: Stories = told(__name__)
    return stories


@pytest.mark.parametrize(
    ("outcome", "status", "code"),
    [
        ("completed", "completed", None),
        ("agent_error", "failed", "agent_error"),
        ("timeout", "failed", "timeout"),
        ("cancelled", "cancelled", None),
    ],
)
def test_every_outcome_is_told_once(stories: Stories, outcome: str, status: str, code: str | None) -> None:
    (callback,) = stories.delivered[outcome]

    assert callback["status"] == status
    assert (callback["error"] or {}).get("code") == code


def test_status_shows_how_the_outcome_was_told(stories: Stories) -> None:
    delivery = stories.shown["delivery"]

    assert delivery["state"] == "delivered"
    assert [attempt["status_code"] for attempt in delivery["attempts"]] == [204]


def test_who_asks_for_no_callback_sees_no_delivery(stories: Stories) -> None:
    assert "delivery" not in stories.without


def test_the_callback_url_is_part_of_what_an_idempotency_key_stands_for(stories: Stories) -> None:
    first, same, other = stories.same_key

    assert first.json()["task_id"] == same.json()["task_id"]
    assert other.status_code == 422


def test_what_is_refused_too_often_is_a_dead_letter(stories: Stories) -> None:
    assert [attempt["status_code"] for attempt in stories.dead["delivery"]["attempts"]] == [500, 500, 500]
    assert [task["task_id"] for task in stories.listed] == [stories.dead["task_id"]]


def test_only_a_dead_letter_can_be_sent_again(stories: Stories) -> None:
    assert stories.before.status_code == 409
    assert stories.redelivered.status_code == 202


def test_a_dead_letter_that_is_sent_again_is_told(stories: Stories) -> None:
    assert stories.after["delivery"]["state"] == "delivered"
    assert stories.after["delivery"]["attempts"][-1]["status_code"] == 204


def test_an_attempt_to_tell_may_take_longer_than_a_task(stories: Stories) -> None:
    assert stories.slow["delivery"]["state"] == "delivered"
    assert stories.told_slowly == 1


def test_killed_while_it_tells_a_worker_does_not_keep_it_to_itself(stories: Stories) -> None:
    assert stories.told_after_the_kill == 2  # the one that was cut off, and the one that was taken
    assert stories.after_the_kill["delivery"]["state"] == "delivered"
