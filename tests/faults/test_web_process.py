"""What the patterns lose that work in the web process: it is killed, or stopped while work goes on.

The stories are lived through once, with all these patterns side by side; the tests look at what was seen.
"""

import signal
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import httpx
import pytest

from patterns import PATTERNS
from patterns.contract.descriptor import Fault, Pattern
from tests.support.callback_receiver import CallbackReceiver
from tests.support.scenarios import Told
from tests.support.serving import QUICK_AGENT, Json, Served, Servers
from tests.support.waiting import eventually

T = TypeVar("T")

_IN_PROCESS = [pattern for pattern in PATTERNS.values() if not pattern.processes]
_GRACE_SECONDS = 5.0
_SETTINGS = {
    **QUICK_AGENT,
    "KIT_AGENT_STEPS": "20",
    "KIT_AGENT_STEP_SECONDS": "0.05",  # work takes a second
    "KIT_WORKERS": "1",
    "KIT_GRACE_SECONDS": f"{_GRACE_SECONDS:g}",
}


@dataclass(frozen=True)
class Kill:
    """A web process was killed with a completed, a running and a waiting task, and started again."""

    after: list[httpx.Response]
    new: Json


@dataclass(frozen=True)
class Stop:
    """A web process got SIGTERM while a client held on to its tasks."""

    outcomes: list[Json]
    seconds: float
    exit_code: int | None


@dataclass(frozen=True)
class Draining:
    """What others saw while it waited for work that does not end."""

    health: int | None
    submit: httpx.Response
    status: httpx.Response


@dataclass(frozen=True)
class Stories:
    """All that happened to one pattern."""

    kill: Kill
    long_stop: Stop
    meanwhile: Draining
    short_stop: Stop


def kill(served: Served) -> Kill:
    """Kill the web process, start it again, and ask for the tasks that it had."""
    done = served.accept("done before")
    served.outcome(done)
    running, waiting = served.accept("hang: for ever"), served.accept("waits")
    served.until(running, "running")
    (web,) = served.running.web

    web.kill()
    web.start()
    served.until_healthy()

    after = [served.status(task_id) for task_id in (done, running, waiting)]
    return Kill(after, served.outcome(served.accept("new")))


def stop(served: Served, prompts: list[str], look: Callable[[list[str]], T]) -> tuple[Stop, T]:
    """Ask the web process to end while the first of these tasks runs and a client waits for each; look around."""
    task_ids = [served.accept(prompt) for prompt in prompts]
    served.until(task_ids[0], "running")
    (web,) = served.running.web
    with ThreadPoolExecutor(len(task_ids)) as threads:
        held = [served.held(threads, task_id) for task_id in task_ids]
        began = time.monotonic()
        web.ask_to_end()
        seen = look(task_ids)
        exit_code = eventually(lambda: web.exit_code, lambda code: code is not None)
        seconds = time.monotonic() - began
        return Stop([answer.result().json() for answer in held], seconds, exit_code), seen


def look_around(served: Served, task_ids: list[str]) -> Draining:
    """Ask a server that stops, as soon as it says so."""
    health = eventually(served.health, lambda status: status != 200)
    return Draining(health, served.submit("too late"), served.status(task_ids[0]))


def live_through(servers: Servers) -> dict[str, Stories]:
    """The same stories with each pattern."""

    def with_one(served: Served) -> Stories:
        killed = kill(served)
        long_stop, meanwhile = stop(served, ["hang: for ever", "waits"], partial(look_around, served))
        (web,) = served.running.web
        web.start()
        served.until_healthy()
        short_stop, _ = stop(served, ["work for a second"], len)
        return Stories(killed, long_stop, meanwhile, short_stop)

    fleet = servers.fleet(_IN_PROCESS, _SETTINGS)
    with ThreadPoolExecutor(len(fleet)) as threads:
        return dict(zip(fleet, threads.map(with_one, fleet.values()), strict=True))


@pytest.fixture(scope="module")
def all_stories(told: Told) -> Mapping[str, Stories]:
    """What happened to each pattern."""
    stories: dict[str, Stories] = told(__name__)
    return stories


@pytest.fixture(params=[pattern.name for pattern in _IN_PROCESS])
def stories(all_stories: Mapping[str, Stories], request: pytest.FixtureRequest) -> Stories:
    """The stories of each pattern in turn."""
    return all_stories[request.param]


@pytest.mark.parametrize("pattern", _IN_PROCESS, ids=lambda pattern: pattern.name)
def test_these_patterns_say_that_they_lose_tasks_with_their_process(pattern: Pattern) -> None:
    assert pattern.loses_on == {Fault.WEB_KILL, Fault.WEB_STOP}


def test_after_a_kill_every_task_is_unknown_and_none_has_a_wrong_state(stories: Stories) -> None:
    assert [answer.status_code for answer in stories.kill.after] == [404, 404, 404]


def test_after_a_kill_and_a_start_the_server_works_as_before(stories: Stories) -> None:
    assert stories.kill.new["status"] == "completed"


def test_a_server_that_stops_takes_no_more_tasks_and_says_so(stories: Stories) -> None:
    assert stories.meanwhile.health == 503
    assert stories.meanwhile.submit.status_code == 503
    assert stories.meanwhile.submit.headers["retry-after"].isdigit()


def test_a_server_that_stops_still_answers_who_asks(stories: Stories) -> None:
    assert stories.meanwhile.status.status_code == 200
    assert stories.meanwhile.status.json()["status"] == "running"


def test_work_that_outlasts_the_grace_period_ends_as_failed_and_its_client_hears_of_it(stories: Stories) -> None:
    for task in stories.long_stop.outcomes:
        assert task["status"] == "failed"
        assert task["error"]["code"] == "shutdown"
        assert task["result"] is None


def test_a_stop_takes_no_longer_than_the_grace_period(stories: Stories) -> None:
    assert stories.long_stop.seconds < _GRACE_SECONDS + 6  # and not the minutes that the agent would hang
    assert stories.long_stop.exit_code != -signal.SIGKILL


def test_work_within_the_grace_period_is_completed_and_its_client_hears_of_it(stories: Stories) -> None:
    (task,) = stories.short_stop.outcomes
    assert task["status"] == "completed"
    assert task["progress"] == 100


def test_a_webhook_server_tells_its_last_outcomes_before_it_ends(
    all_stories: Mapping[str, Stories], callbacks: CallbackReceiver
) -> None:
    told = all_stories["webhook"]
    for task in (*told.long_stop.outcomes, *told.short_stop.outcomes):
        (callback,) = callbacks.about(task["task_id"])
        assert callback["status"] == task["status"]
