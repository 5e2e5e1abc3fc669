"""A web process, and a Celery worker with another pool, are stopped while their agent awaits."""

import signal
from dataclasses import dataclass

import pytest

from patterns import BACKGROUND_TASKS, IN_MEMORY_QUEUE
from patterns.contract.descriptor import Pattern
from tests.support.model_scenarios import ASYNC_AGENT, celery_with
from tests.support.model_server import Calls, model_server
from tests.support.scenarios import ScenarioResult
from tests.support.serving import Json, Servers
from tests.support.waiting import eventually

pytestmark = pytest.mark.thorough

_WEB = {pattern.name: pattern for pattern in (BACKGROUND_TASKS, IN_MEMORY_QUEUE)}
_SIGNALS = [signal.SIGTERM, signal.SIGINT]
_POOLS = ("threads", "solo")
#: More than the maximum number of runs of a task.
_STOPS = 4


@dataclass(frozen=True)
class Scenarios:
    """The exit codes of web processes, by pattern and signal, and of workers, with the outcome of their task."""

    web: dict[tuple[str, signal.Signals], int | None]
    workers: dict[str, tuple[list[int | None], Json]]


def run_scenario(servers: Servers) -> Scenarios:
    """Stop the web processes, then the workers, in sequence."""
    with model_server() as model:
        web = {
            (name, number): stop_web(servers, model, pattern, number)
            for name, pattern in _WEB.items()
            for number in _SIGNALS
        }
    return Scenarios(web, {pool: stop_workers(servers, pool) for pool in _POOLS})


def stop_web(servers: Servers, model: Calls, pattern: Pattern, number: signal.Signals) -> int | None:
    """Stop a web process whose agent ignores its cancellation. Returns the exit code."""
    settings = {"KIT_AGENT": ASYNC_AGENT, "MODEL_URL": model.url, "KIT_GRACE_SECONDS": "0"}
    served = servers.serve(pattern, settings)
    (web,) = served.running.web
    call = f"{pattern.name}-{number}"
    served.accept(f"ignores_cancellation:{call}")
    model.until_open(call)
    web.kill(number)
    return eventually(lambda: web.exit_code, lambda code: code is not None)


def stop_workers(servers: Servers, pool: str) -> tuple[list[int | None], Json]:
    """Stop a worker repeatedly while its agent awaits. Returns its exit codes and the outcome of the task."""
    settings = {"KIT_AGENT": "tests.support.agents:by_prompt", "KIT_GRACE_SECONDS": "0"}
    served = servers.serve(celery_with(pool), {**settings, "KIT_TASK_TIMEOUT_SECONDS": "20"})
    (worker,) = served.running.workers
    marks = [servers.folder / f"{pool}-{number}" for number in range(_STOPS)]
    codes: list[int | None] = []
    task_id = served.accept(f"marks_and_waits_for:{servers.folder / pool}")
    for mark in marks:
        eventually(mark.exists, bool)
        worker.terminate()
        codes.append(eventually(lambda: worker.exit_code, lambda code: code is not None))
        if mark is marks[-1]:
            (servers.folder / pool).touch()
        worker.start()
    return codes, served.outcome(task_id)


@pytest.fixture(scope="module")
def scenarios(scenario_result: ScenarioResult) -> Scenarios:
    """The result of the scenario."""
    scenarios: Scenarios = scenario_result(__name__)
    return scenarios


@pytest.mark.parametrize("number", _SIGNALS)
@pytest.mark.parametrize("name", _WEB)
def test_a_web_process_exits_by_itself(scenarios: Scenarios, name: str, number: signal.Signals) -> None:
    assert scenarios.web[name, number] in {0, -number}


@pytest.mark.parametrize("pool", _POOLS)
def test_the_task_of_a_stopped_worker_runs_again_after_every_stop(scenarios: Scenarios, pool: str) -> None:
    codes, outcome = scenarios.workers[pool]

    assert codes == [0] * _STOPS
    assert outcome["status"] == "completed"
