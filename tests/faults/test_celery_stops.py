"""What celery_queue survives: its web process and its worker are asked to end while a task outlasts the grace.

The worker is asked in the middle of a call that blocks its process, and of an await.
"""

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx
import pytest

from patterns import CELERY_QUEUE
from patterns.contract.descriptor import Fault
from tests.support.scenarios import ScenarioResult
from tests.support.serving import Json, Served, Servers
from tests.support.waiting import eventually

_GRACE_SECONDS = 1.0
_SETTINGS = {
    "KIT_AGENT": "tests.support.agents:by_prompt",
    "KIT_TASK_TIMEOUT_SECONDS": "20",
    "KIT_GRACE_SECONDS": f"{_GRACE_SECONDS:g}",
}


@dataclass(frozen=True)
class Stop:
    """A process got SIGTERM, and was restarted."""

    seconds: float
    exit_code: int | None
    outcome: Json


@dataclass(frozen=True)
class Scenarios:
    """What happened to the web process, to a client that it held, and to the worker with each kind of agent."""

    web: Stop
    held: httpx.Response
    worker_blocked: Stop
    worker_awaiting: Stop


def run_scenario(servers: Servers) -> Scenarios:
    """Stop one after the other, each in the middle of a task."""
    served = servers.serve(CELERY_QUEUE, _SETTINGS)
    (web,) = served.running.web

    task_id = running(served)
    with ThreadPoolExecutor(1) as threads:
        held = served.held(threads, task_id)
        began = time.monotonic()
        web.terminate()
        code = eventually(lambda: web.exit_code, lambda code: code is not None)
        seconds = time.monotonic() - began
    web.start()
    served.until_healthy()
    of_web = Stop(seconds, code, served.outcome(task_id))

    return Scenarios(of_web, held.result(), stop_worker(served, "sleeps"), stop_worker(served, "sleeps_async"))


def stop_worker(served: Served, agent: str) -> Stop:
    """Stop the worker in the middle of a task, and start it again."""
    (worker,) = served.running.workers
    task_id = running(served, agent)
    began = time.monotonic()
    worker.terminate()
    code = eventually(lambda: worker.exit_code, lambda code: code is not None)
    seconds = time.monotonic() - began
    worker.start()
    return Stop(seconds, code, served.outcome(task_id))


def running(served: Served, agent: str = "sleeps") -> str:
    """A task that runs, and takes longer than the grace period."""
    task_id = served.accept(f"{agent}:3")
    served.until(task_id, "running")
    return task_id


@pytest.fixture(scope="module")
def scenarios(scenario_result: ScenarioResult) -> Scenarios:
    """What happened."""
    scenarios: Scenarios = scenario_result(__name__)
    return scenarios


def test_celery_claims_to_survive_a_stop() -> None:
    assert Fault.WEB_STOP not in CELERY_QUEUE.loses_on


def test_a_web_process_stops_in_time_and_the_task_goes_on_without_it(scenarios: Scenarios) -> None:
    assert scenarios.web.seconds < _GRACE_SECONDS + 10
    assert scenarios.web.exit_code != -signal.SIGKILL
    assert scenarios.web.outcome["status"] == "completed"


def test_a_held_status_request_is_answered_before_the_stop(scenarios: Scenarios) -> None:
    assert scenarios.held.status_code == 200
    assert scenarios.held.json()["status"] in {"running", "completed"}


@pytest.mark.parametrize("agent", ["worker_blocked", "worker_awaiting"])
def test_a_worker_stops_in_time_and_the_next_one_does_its_task(scenarios: Scenarios, agent: str) -> None:
    stop: Stop = getattr(scenarios, agent)
    assert stop.seconds < _GRACE_SECONDS + 10
    assert stop.exit_code != -signal.SIGKILL
    assert stop.outcome["status"] == "completed"
