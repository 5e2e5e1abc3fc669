"""A server with exactly known behaviour for the load process to measure: delays, stalls, losses, refusals."""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
from standardwebhooks import Webhook

from patterns.contract import TaskStatus
from patterns.contract.settings import new_webhook_secret

SECRET = new_webhook_secret()


@dataclass
class Behaviour:
    """The behaviour of the server. Numbers count tasks in order of arrival, from 0."""

    pattern: str = "in_memory_queue"
    work: float = 0.1  # seconds from accepted to finished
    delays: Sequence[float] = ()  # seconds before each submit is answered
    refuse_after: int | None = None  # 503 from this number on
    break_every: int | None = None  # 500, not accepted
    forget_every: int | None = None  # accepted, then 404
    hang_every: int | None = None  # accepted, never finished
    double_every: int | None = None  # the same id as the task before
    fail_every: int | None = None  # finished as failed
    repeat_every: int | None = None  # the callback is delivered twice
    forge_every: int | None = None  # an additional callback with a wrong signature
    stall_at: float | None = None  # seconds after the first submit: the start of a stall
    stall_for: float = 0.0
    healthy: bool = True


#: Waiting longer than this for the previous task means that something is broken.
_TURN_SECONDS = 10.0


@dataclass
class FakeServer:
    """Runs in a thread. `accepted` has the ids in order, `lost` those whose outcome no client can learn.

    `answered` has the moment, on `time.time()`, at which each submit was answered.
    """

    behaviour: Behaviour
    accepted: list[str] = field(default_factory=list)
    answered: dict[str, float] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    submits: int = 0
    url: str = ""
    _tasks: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _first: float | None = None
    _turns: threading.Condition = field(default_factory=threading.Condition)
    _told: int = 0
    _callbacks: list[threading.Timer] = field(default_factory=list)
    _http: httpx.Client = field(default_factory=lambda: httpx.Client(trust_env=False))

    def submit(self, body: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Accept a task or refuse it."""
        behaviour, now = self.behaviour, time.time()
        with self._lock:
            number, self.submits = self.submits, self.submits + 1
            self._first = self._first or now
        self.stall()
        if behaviour.delays:
            time.sleep(behaviour.delays[number % len(behaviour.delays)])
        if behaviour.refuse_after is not None and number >= behaviour.refuse_after:
            return 503, {"title": "Queue full"}
        if _every(behaviour.break_every, number):
            return 500, {"title": "Broken"}
        task_id = f"task-{number - 1 if _every(behaviour.double_every, number) else number}"
        self.accepted.append(task_id)
        if _every(behaviour.forget_every, number) or _every(behaviour.hang_every, number):
            self.lost.add(task_id)
        if _every(behaviour.fail_every, number):
            self.failed.add(task_id)
        if not _every(behaviour.forget_every, number):
            self._tasks[task_id] = time.time()
        if "callback_url" in body:
            self._call_back_later(body["callback_url"], task_id, number)
        self.answered[task_id] = time.time()
        return 202, {"task_id": task_id, "status": TaskStatus.PENDING}

    def status(self, task_id: str, wait: float) -> tuple[int, dict[str, Any]]:
        """The status of a task, held for up to `wait` seconds."""
        self.stall()
        begin = self._tasks.get(task_id)
        if begin is None:
            return 404, {"title": "Unknown task"}
        finished = begin + self.behaviour.work
        until = time.time() + wait
        if task_id not in self.lost:
            time.sleep(max(0.0, min(finished, until) - time.time()))
            if time.time() >= finished:
                return 200, self.task(task_id)
        else:
            time.sleep(wait)
        return 200, {"task_id": task_id, "status": TaskStatus.RUNNING}

    def task(self, task_id: str) -> dict[str, Any]:
        """A finished task."""
        begin = self._tasks[task_id]
        failed = task_id in self.failed
        return {
            "task_id": task_id,
            "status": TaskStatus.FAILED if failed else TaskStatus.COMPLETED,
            "progress": 100,
            "created_at": _iso(begin),
            "started_at": _iso(begin),
            "finished_at": _iso(begin + self.behaviour.work),
        }

    def stall(self) -> None:
        """Block the request while the stall lasts."""
        if self.behaviour.stall_at is not None and self._first is not None:
            begin = self._first + self.behaviour.stall_at
            now = time.time()
            if begin <= now < begin + self.behaviour.stall_for:
                time.sleep(begin + self.behaviour.stall_for - now)

    def close(self) -> None:
        """Send no more callbacks."""
        for timer in self._callbacks:
            timer.cancel()
        for timer in self._callbacks:
            timer.join()
        self._http.close()

    def _call_back_later(self, url: str, task_id: str, number: int) -> None:
        if task_id in self.lost:
            return
        timer = threading.Timer(self.behaviour.work, self._call_back, (url, task_id, number))
        timer.daemon = True
        self._callbacks.append(timer)
        timer.start()

    def _call_back(self, url: str, task_id: str, number: int) -> None:
        body, now = json.dumps(self.task(task_id)), datetime.now(UTC)
        headers = {
            "webhook-id": f"msg-{number}",
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(SECRET).sign(f"msg-{number}", now, body),
        }
        forged = {**headers, "webhook-signature": "v1,bm90IHNpZ25lZA=="}
        deliveries = [headers]
        deliveries += [headers] if _every(self.behaviour.repeat_every, number) else []
        deliveries += [forged] if _every(self.behaviour.forge_every, number) else []
        if self.behaviour.repeat_every or self.behaviour.forge_every:
            # The load process waits only for outcomes, so repeats must arrive before the last outcome.
            with self._turns:
                self._turns.wait_for(lambda: self._told == number, _TURN_SECONDS)
        with suppress(httpx.TransportError):  # the load process has ended
            for delivery in deliveries:
                self._http.post(url, content=body, headers=delivery)
        with self._turns:
            self._told += 1
            self._turns.notify_all()


def _every(each: int | None, number: int) -> bool:
    return each is not None and number % each == each - 1


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


class _Server(ThreadingHTTPServer):
    request_queue_size = 512

    def handle_error(self, *_: object) -> None:
        """Ignore broken connections: a load process that is stopped leaves them."""


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[FakeServer]:
    """Run the server at its `url` while the block lasts."""
    fake = FakeServer(behaviour)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:  # the name that http.server calls
            self._answer(*fake.submit(json.loads(self.rfile.read(int(self.headers["Content-Length"])))))

        def do_GET(self) -> None:  # the name that http.server calls
            if self.path == "/health":
                status = 200 if behaviour.healthy else 503
                self._answer(status, {"status": "ok", "pattern": behaviour.pattern})
            else:
                wait = float(self.headers.get("Prefer", "wait=0").removeprefix("wait="))
                self._answer(*fake.status(self.path.rpartition("/")[2], wait))

        def _answer(self, status: int, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
            with suppress(OSError):  # the client has gone
                self.wfile.write(head.encode() + content)  # in one write: Nagle's algorithm would delay a second one

        def log_message(self, *_: object) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield fake
    finally:
        fake.close()
        server.shutdown()
        server.server_close()
        thread.join()
