"""celery_queue with its records in one Redis and its messages in another, which is down: status is answered."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import uuid4

import httpx
import pytest

from patterns import CELERY_QUEUE
from patterns.serving.processes import Child
from tests.support.scenarios import ScenarioResult
from tests.support.serving import QUICK_AGENT, Json, Served, Servers
from tests.support.waiting import eventually

#: Submit has this long to say that the broker is away: the contract itself.
_SUBMIT_SECONDS = 3.0
_QUEUE_SIZE = 12

pytestmark = pytest.mark.thorough


@dataclass(frozen=True)
class Scenario:
    """What clients saw while the broker was away, and when it was back."""

    many: list[httpx.Response]
    with_one_key: list[httpx.Response]
    submit_seconds: float
    status: int
    status_came_first: bool
    afterwards: list[Json]
    same_processes: bool


def run_scenario(servers: Servers) -> dict[str, Scenario]:
    """A broker that freezes, and then dies and comes back with the data it had."""
    redis = servers.redis()
    settings = {"KIT_TASK_TIMEOUT_SECONDS": "3", "KIT_GRACE_SECONDS": "1", "KIT_QUEUE_SIZE": f"{_QUEUE_SIZE}"}
    served = servers.serve(CELERY_QUEUE, {**QUICK_AGENT, **settings, "KIT_BROKER_URL": redis.url})
    return {
        "frozen": one_scenario(served, redis.child, signal.SIGSTOP),
        "dead": one_scenario(served, redis.child, signal.SIGKILL),
    }


def one_scenario(served: Served, broker: Child, fault: signal.Signals) -> Scenario:
    """Freeze or kill the broker (`fault`), submit in vain, bring it back, and submit again."""
    known = served.accept()
    served.outcome(known)
    pids, key = [child.pid for child in served.running.children], uuid4().hex
    broker.kill(fault)

    def submit(number: int) -> httpx.Response:
        return served.submit("raced", key) if number < 5 else served.submit(f"prompt {number}")

    with ThreadPoolExecutor(_QUEUE_SIZE) as threads:
        began = time.monotonic()
        answers = [threads.submit(submit, number) for number in range(_QUEUE_SIZE)]
        status = served.status(known).status_code
        status_came_first = not any(answer.done() for answer in answers)
        submits = [answer.result() for answer in answers]
        seconds = time.monotonic() - began

    if fault is signal.SIGSTOP:
        broker.kill(signal.SIGCONT)
    else:
        broker.start()
    working = [child.pid for child in served.running.children if child.exit_code is None]
    again = [eventually(served.submit, lambda answer: answer.status_code == 202) for _ in range(_QUEUE_SIZE)]
    return Scenario(
        submits[5:],
        submits[:5],
        seconds,
        status,
        status_came_first,
        [served.outcome(answer.json()["task_id"]) for answer in again],
        working == pids,
    )


@pytest.fixture(params=["frozen", "dead"])
def scenario(scenario_result: ScenarioResult, request: pytest.FixtureRequest) -> Scenario:
    """Each scenario in turn."""
    scenario: Scenario = scenario_result(__name__)[request.param]
    return scenario


def test_submit_says_within_three_seconds_that_the_broker_is_down(scenario: Scenario) -> None:
    assert scenario.submit_seconds < _SUBMIT_SECONDS
    for answer in scenario.many:
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1


def test_status_is_answered_meanwhile(scenario: Scenario) -> None:
    assert scenario.status == 200


@pytest.mark.parametrize("scenario", ["frozen"], indirect=True)
def test_status_does_not_wait_with_the_submits(scenario: Scenario) -> None:
    assert scenario.status_came_first


def test_of_many_submits_with_one_key_none_gets_the_id_of_a_task_that_is_then_dropped(scenario: Scenario) -> None:
    assert {answer.status_code for answer in scenario.with_one_key} == {503}


def test_when_the_broker_is_back_submit_works_and_no_place_was_lost(scenario: Scenario) -> None:
    assert [task["status"] for task in scenario.afterwards] == ["completed"] * _QUEUE_SIZE


def test_no_process_had_to_be_restarted(scenario: Scenario) -> None:
    assert scenario.same_processes
