"""A cancel closes the agent's call to its model, and frees the only slot for the next task.

Whatever an agent does after its cancellation takes an hour: without the interruption every test here would time out.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from patterns import BACKGROUND_TASKS, CELERY_QUEUE, IN_MEMORY_QUEUE
from tests.support.model_scenarios import (
    ASYNC_AGENT,
    EVERYWHERE,
    IN_A_PROCESS,
    SYNC,
    SYNC_AGENT,
    Ended,
    cancelled,
    check,
    measured,
    timed_out,
)
from tests.support.model_server import model_server
from tests.support.scenarios import ScenarioResult
from tests.support.serving import Servers

_SERVED = {
    "background_tasks": (BACKGROUND_TASKS, ASYNC_AGENT, EVERYWHERE),
    "in_memory_queue": (IN_MEMORY_QUEUE, ASYNC_AGENT, EVERYWHERE),
    "celery_queue": (CELERY_QUEUE, ASYNC_AGENT, IN_A_PROCESS),
    "celery_queue with a sync agent": (CELERY_QUEUE, SYNC_AGENT, SYNC),
}
_TIMEOUT = "celery_queue after a timeout"

Scenarios = dict[str, dict[str, Ended]]


def run_scenario(servers: Servers) -> Scenarios:
    """Cancel tasks in each pattern, and let tasks time out in celery_queue."""
    with model_server() as model, ThreadPoolExecutor(len(_SERVED) + 1) as threads:
        futures = {name: threads.submit(cancelled, servers, model, *what) for name, what in _SERVED.items()}
        futures[_TIMEOUT] = threads.submit(timed_out, servers, model, CELERY_QUEUE, ASYNC_AGENT, ["hangs"])
        return {name: future.result() for name, future in futures.items()}


@pytest.fixture(scope="module")
def scenarios(scenario_result: ScenarioResult) -> Scenarios:
    """The result of the scenario."""
    scenarios: Scenarios = scenario_result(__name__)
    return scenarios


@pytest.mark.parametrize("name", _SERVED)
def test_a_cancel_closes_the_call_and_frees_the_slot(
    scenarios: Scenarios, name: str, record_property: Callable[[str, object], None]
) -> None:
    record_property("measured", measured(scenarios[name]))
    check(scenarios[name], "cancelled", None)


def test_a_timeout_closes_the_call_and_frees_the_slot(
    scenarios: Scenarios, record_property: Callable[[str, object], None]
) -> None:
    record_property("measured", measured(scenarios[_TIMEOUT]))
    check(scenarios[_TIMEOUT], "failed", "timeout")
