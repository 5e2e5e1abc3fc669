"""Like `test_model_calls` and `test_shared_client`, with Celery's other pools and the remaining patterns."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from patterns import BACKGROUND_TASKS, CELERY_QUEUE, IN_MEMORY_QUEUE, PATTERNS, POLLING, WEBHOOK
from tests.support.model_scenarios import (
    ASYNC_AGENT,
    EVERYWHERE,
    IN_A_PROCESS,
    SYNC,
    SYNC_AGENT,
    Thirty,
    cancelled,
    celery_with,
    check,
    measured,
    thirty_tasks,
    timed_out,
)
from tests.support.model_server import Calls, model_server
from tests.support.scenarios import ScenarioResult
from tests.support.serving import Servers

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(600)]

_POOLS = ("threads", "solo")
_CANCELLED = {
    "polling": (POLLING, ASYNC_AGENT, EVERYWHERE),
    "webhook": (WEBHOOK, ASYNC_AGENT, EVERYWHERE),
    "threads": (celery_with("threads"), ASYNC_AGENT, EVERYWHERE),
    "solo": (celery_with("solo"), ASYNC_AGENT, EVERYWHERE),
    "solo with a sync agent": (celery_with("solo"), SYNC_AGENT, ["hangs"]),
}
_TIMED_OUT = {
    "background_tasks": (BACKGROUND_TASKS, ASYNC_AGENT, ["hangs", "cleans_up_for_long"]),
    "in_memory_queue": (IN_MEMORY_QUEUE, ASYNC_AGENT, ["hangs", "ignores_cancellation"]),
    "celery_queue": (CELERY_QUEUE, ASYNC_AGENT, IN_A_PROCESS),
    "celery_queue with a sync agent": (CELERY_QUEUE, SYNC_AGENT, SYNC),
    "threads": (celery_with("threads"), ASYNC_AGENT, EVERYWHERE),
    "solo": (celery_with("solo"), ASYNC_AGENT, EVERYWHERE),
}
_OTHER_AGENTS = ("agent_object", "returns_a_coroutine")

Scenarios = dict[tuple[str, str], Any]


def run_scenario(servers: Servers) -> Scenarios:
    """Run all scenarios, three at a time."""
    with model_server() as model, ThreadPoolExecutor(3) as threads:
        futures: dict[tuple[str, str], Future[Any]] = {}
        for pool in _POOLS:
            futures["thirty", pool] = threads.submit(_thirty, servers, model, pool)
        for agent in _OTHER_AGENTS:
            futures["agent", agent] = threads.submit(_everywhere, servers, model, agent)
        for name, cancel in _CANCELLED.items():
            futures["cancel", name] = threads.submit(cancelled, servers, model, *cancel)
        for name, timeout in _TIMED_OUT.items():
            futures["timeout", name] = threads.submit(timed_out, servers, model, *timeout)
        return {key: future.result() for key, future in futures.items()}


def _thirty(servers: Servers, model: Calls, pool: str) -> Thirty:
    return thirty_tasks(servers.serve(celery_with(pool), {"KIT_AGENT": ASYNC_AGENT, "MODEL_URL": model.url}))


def _everywhere(servers: Servers, model: Calls, agent: str) -> dict[str, Thirty]:
    settings = {"KIT_AGENT": f"tests.support.model_agents:{agent}", "MODEL_URL": model.url}
    return {name: thirty_tasks(served) for name, served in servers.fleet(PATTERNS.values(), settings).items()}


@pytest.fixture(scope="module")
def scenarios(scenario_result: ScenarioResult) -> Scenarios:
    """The result of the scenario."""
    scenarios: Scenarios = scenario_result(__name__)
    return scenarios


@pytest.mark.parametrize("pool", _POOLS)
def test_tasks_share_a_client_in_every_pool(scenarios: Scenarios, pool: str) -> None:
    assert scenarios["thirty", pool] == Thirty(["completed"] * 20, ["completed"] * 10)


@pytest.mark.parametrize("agent", _OTHER_AGENTS)
def test_a_client_may_be_opened_in_a_constructor_and_used_behind_a_plain_function(
    scenarios: Scenarios, agent: str
) -> None:
    assert scenarios["agent", agent] == {name: Thirty(["completed"] * 20, ["completed"] * 10) for name in PATTERNS}


@pytest.mark.parametrize("name", _CANCELLED)
def test_a_cancel_closes_the_call_and_frees_the_slot(
    scenarios: Scenarios, name: str, record_property: Callable[[str, object], None]
) -> None:
    record_property("measured", measured(scenarios["cancel", name]))
    check(scenarios["cancel", name], "cancelled", None)


@pytest.mark.parametrize("name", _TIMED_OUT)
def test_a_timeout_closes_the_call_and_frees_the_slot(
    scenarios: Scenarios, name: str, record_property: Callable[[str, object], None]
) -> None:
    record_property("measured", measured(scenarios["timeout", name]))
    check(scenarios["timeout", name], "failed", "timeout")
