"""celery_queue without its broker: frozen, killed, restarted, and back without its data.

Here the broker also keeps the records, so that status cannot be answered either while it is away.
"""

import shutil
import signal
import time
from dataclasses import dataclass

import httpx
import pytest

from patterns import CELERY_QUEUE
from patterns.serving.processes import Child
from tests.support.scenarios import ScenarioResult
from tests.support.serving import QUICK_AGENT, Json, Served, Servers
from tests.support.waiting import eventually

#: Submit has this long to say that the broker is away: the contract itself.
_SUBMIT_SECONDS = 3.0

pytestmark = pytest.mark.thorough


@dataclass(frozen=True)
class Away:
    """What a client saw while the broker was away, and when it was back."""

    submit: httpx.Response
    submit_seconds: float
    status: httpx.Response
    cancel: httpx.Response
    health: int | None
    known_before: httpx.Response
    new: Json
    same_processes: bool


@dataclass(frozen=True)
class Loss:
    """What a client saw when the broker was back without its data."""

    done: httpx.Response
    unfinished: httpx.Response
    cancel: httpx.Response
    with_the_same_key: httpx.Response
    new: Json


@dataclass(frozen=True)
class Scenarios:
    """All that happened."""

    frozen: Away
    dead: Away
    loss: Loss


def run_scenario(servers: Servers) -> Scenarios:
    """Freeze the broker, kill it, and take its data away."""
    served = servers.serve(CELERY_QUEUE, {**QUICK_AGENT, "KIT_TASK_TIMEOUT_SECONDS": "3", "KIT_GRACE_SECONDS": "1"})
    broker = served.running.redis
    assert broker is not None
    return Scenarios(
        frozen=away(served, broker, signal.SIGSTOP),
        dead=away(served, broker, signal.SIGKILL),
        loss=lose(served, broker),
    )


def away(served: Served, broker: Child, fault: signal.Signals) -> Away:
    """Let the broker go away by `fault`, and come back with the data it had."""
    known = served.accept()
    served.outcome(known)
    pids = [child.pid for child in (*served.running.web, *served.running.workers)]
    broker.kill(fault)

    began = time.monotonic()
    submit = served.submit()
    seconds = time.monotonic() - began
    status, cancel, health = served.status(known), served.cancel(known), served.health()

    if fault is signal.SIGSTOP:
        broker.kill(signal.SIGCONT)
    else:
        broker.start()
    new = works_again(served)
    after = [child.pid for child in (*served.running.web, *served.running.workers) if child.exit_code is None]
    return Away(submit, seconds, status, cancel, health, served.status(known), new, pids == after)


def lose(served: Served, broker: Child) -> Loss:
    """Kill the broker while a task runs, and start it again without its data."""
    done, unfinished = served.accept("work", key="one"), served.accept("hang: for ever")
    served.outcome(done)
    served.until(unfinished, "running")
    broker.kill()
    for folder in served.running.family.folder.glob("redis-*/appendonlydir"):
        shutil.rmtree(folder)
    broker.start()
    eventually(lambda: served.status(done).status_code, lambda status: status != 503)
    return Loss(
        done=served.status(done),
        unfinished=served.status(unfinished),
        cancel=served.cancel(unfinished),
        with_the_same_key=eventually(
            lambda: served.submit("other work", key="one"), lambda answer: answer.status_code != 503
        ),
        new=works_again(served),
    )


def works_again(served: Served) -> Json:
    """The outcome of a task that is submitted as soon as that can be done."""
    answer = eventually(served.submit, lambda answer: answer.status_code == 202)
    return served.outcome(answer.json()["task_id"])


@pytest.fixture(scope="module")
def scenarios(scenario_result: ScenarioResult) -> Scenarios:
    """What happened."""
    scenarios: Scenarios = scenario_result(__name__)
    return scenarios


@pytest.fixture(params=["frozen", "dead"])
def scenario(scenarios: Scenarios, request: pytest.FixtureRequest) -> Away:
    """What happened while the broker was frozen, and while it was dead."""
    scenario: Away = getattr(scenarios, request.param)
    return scenario


def test_submit_says_within_three_seconds_that_the_broker_is_down(scenario: Away) -> None:
    assert scenario.submit.status_code == 503
    assert int(scenario.submit.headers["retry-after"]) >= 1
    assert scenario.submit_seconds < _SUBMIT_SECONDS


def test_every_other_route_reports_the_broker_too(scenario: Away) -> None:
    assert scenario.status.status_code == 503
    assert scenario.cancel.status_code == 503
    assert scenario.health == 503


def test_a_broker_that_comes_back_with_its_data_has_lost_nothing(scenario: Away) -> None:
    assert scenario.known_before.json()["status"] == "completed"


def test_when_it_is_back_tasks_are_done_again_and_no_process_had_to_be_restarted(scenario: Away) -> None:
    assert scenario.new["status"] == "completed"
    assert scenario.same_processes


def test_a_broker_that_lost_its_data_lost_the_tasks_and_their_status_is_404(scenarios: Scenarios) -> None:
    assert scenarios.loss.done.status_code == 404
    assert scenarios.loss.unfinished.status_code == 404
    assert scenarios.loss.cancel.status_code == 404


def test_a_broker_that_lost_its_data_accepts_new_tasks(scenarios: Scenarios) -> None:
    assert scenarios.loss.with_the_same_key.status_code == 202
    assert scenarios.loss.new["status"] == "completed"
