"""What the patterns lose that work in the web process: it is killed, or stopped while work goes on.

The scenarios are lived through once, with all these patterns side by side; the tests look at what was seen.
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
from tests.support.scenarios import ScenarioResult
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
    """A web process was killed with a completed, a running and a waiting task, and restarted."""

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
class Scenarios:
    """All that happened to one pattern."""

    kill: Kill
    long_stop: Stop
    meanwhile: Draining
    short_stop: Stop


def kill(served: Served) -> Kill:
    """Kill the web process, restart it, and ask for the tasks that it had."""
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
        web.terminate()
        seen = look(task_ids)
        exit_code = eventually(lambda: web.exit_code, lambda code: code is not None)
        seconds = time.monotonic() - began
        return Stop([answer.result().json() for answer in held], seconds, exit_code), seen


def look_around(served: Served, task_ids: list[str]) -> Draining:
    """Ask a server that is stopping, as soon as its health says so."""
    health = eventually(served.health, lambda status: status != 200)
    return Draining(health, served.submit("too late"), served.status(task_ids[0]))


def run_scenario(servers: Servers) -> dict[str, Scenarios]:
    """The same scenarios with each pattern."""

    def with_one(served: Served) -> Scenarios:
        killed = kill(served)
        long_stop, meanwhile = stop(served, ["hang: for ever", "waits"], partial(look_around, served))
        (web,) = served.running.web
        web.start()
        served.until_healthy()
        short_stop, _ = stop(served, ["work for a second"], len)
        return Scenarios(killed, long_stop, meanwhile, short_stop)

    fleet = servers.fleet(_IN_PROCESS, _SETTINGS)
    with ThreadPoolExecutor(len(fleet)) as threads:
        return dict(zip(fleet, threads.map(with_one, fleet.values()), strict=True))


@pytest.fixture(scope="module")
def all_scenarios(scenario_result: ScenarioResult) -> Mapping[str, Scenarios]:
    """What happened to each pattern."""
    scenarios: dict[str, Scenarios] = scenario_result(__name__)
    return scenarios


@pytest.fixture(params=[pattern.name for pattern in _IN_PROCESS])
def scenarios(all_scenarios: Mapping[str, Scenarios], request: pytest.FixtureRequest) -> Scenarios:
    """The scenarios of each pattern in turn."""
    return all_scenarios[request.param]


@pytest.mark.parametrize("pattern", _IN_PROCESS, ids=lambda pattern: pattern.name)
def test_these_patterns_say_that_they_lose_tasks_with_their_process(pattern: Pattern) -> None:
    assert pattern.loses_on == {Fault.WEB_KILL, Fault.WEB_STOP}


def test_after_a_kill_every_task_is_unknown_and_none_has_a_wrong_state(scenarios: Scenarios) -> None:
    assert [answer.status_code for answer in scenarios.kill.after] == [404, 404, 404]


def test_after_a_kill_and_a_start_the_server_works_as_before(scenarios: Scenarios) -> None:
    assert scenarios.kill.new["status"] == "completed"


def test_a_stopping_server_accepts_no_tasks_and_answers_503(scenarios: Scenarios) -> None:
    assert scenarios.meanwhile.health == 503
    assert scenarios.meanwhile.submit.status_code == 503
    assert scenarios.meanwhile.submit.headers["retry-after"].isdigit()


def test_a_stopping_server_still_answers_status_requests(scenarios: Scenarios) -> None:
    assert scenarios.meanwhile.status.status_code == 200
    assert scenarios.meanwhile.status.json()["status"] == "running"


def test_work_that_outlasts_the_grace_period_ends_as_failed_and_status_shows_it(scenarios: Scenarios) -> None:
    for task in scenarios.long_stop.outcomes:
        assert task["status"] == "failed"
        assert task["error"]["code"] == "shutdown"
        assert task["result"] is None


def test_a_stop_takes_no_longer_than_the_grace_period(scenarios: Scenarios) -> None:
    assert scenarios.long_stop.seconds < _GRACE_SECONDS + 6  # and not the minutes that the agent would hang
    assert scenarios.long_stop.exit_code != -signal.SIGKILL


def test_work_within_the_grace_period_is_completed_and_status_shows_it(scenarios: Scenarios) -> None:
    (task,) = scenarios.short_stop.outcomes
    assert task["status"] == "completed"
    assert task["progress"] == 100


def test_a_webhook_server_delivers_its_last_outcomes_before_it_ends(
    all_scenarios: Mapping[str, Scenarios], callbacks: CallbackReceiver
) -> None:
    webhook = all_scenarios["webhook"]
    for task in (*webhook.long_stop.outcomes, *webhook.short_stop.outcomes):
        (callback,) = callbacks.about(task["task_id"])
        assert callback["status"] == task["status"]
