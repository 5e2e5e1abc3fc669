"""As `test_model_calls` and `test_shared_client`, in Celery's other pools, and with the patterns left out there."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from patterns import BACKGROUND_TASKS, CELERY_QUEUE, IN_MEMORY_QUEUE, PATTERNS, POLLING, WEBHOOK
from tests.support.model_server import Calls, model_server
from tests.support.model_stories import (
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
from tests.support.serving import Servers
from tests.support.stories import Told

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

Stories = dict[tuple[str, str], Any]


def live_through(servers: Servers) -> Stories:
    """All of it, a few at a time."""
    with model_server() as model, ThreadPoolExecutor(3) as threads:
        told: dict[tuple[str, str], Future[Any]] = {}
        for pool in _POOLS:
            told["thirty", pool] = threads.submit(_thirty, servers, model, pool)
        for agent in _OTHER_AGENTS:
            told["agent", agent] = threads.submit(_everywhere, servers, model, agent)
        for name, cancel in _CANCELLED.items():
            told["cancel", name] = threads.submit(cancelled, servers, model, *cancel)
        for name, timeout in _TIMED_OUT.items():
            told["timeout", name] = threads.submit(timed_out, servers, model, *timeout)
        return {key: story.result() for key, story in told.items()}


def _thirty(servers: Servers, model: Calls, pool: str) -> Thirty:
    return thirty_tasks(servers.serve(celery_with(pool), {"KIT_AGENT": ASYNC_AGENT, "MODEL_URL": model.url}))


def _everywhere(servers: Servers, model: Calls, agent: str) -> dict[str, Thirty]:
    settings = {"KIT_AGENT": f"tests.support.model_agents:{agent}", "MODEL_URL": model.url}
    return {name: thirty_tasks(served) for name, served in servers.fleet(PATTERNS.values(), settings).items()}


@pytest.fixture(scope="module")
def stories(told: Told) -> Stories:
    """What happened."""
    stories: Stories = told(__name__)
    return stories


@pytest.mark.parametrize("pool", _POOLS)
def test_tasks_share_a_client_in_every_pool(stories: Stories, pool: str) -> None:
    assert stories["thirty", pool] == Thirty(["completed"] * 20, ["completed"] * 10)


@pytest.mark.parametrize("agent", _OTHER_AGENTS)
def test_a_client_may_be_opened_in_a_constructor_and_used_behind_a_plain_function(stories: Stories, agent: str) -> None:
    assert stories["agent", agent] == {name: Thirty(["completed"] * 20, ["completed"] * 10) for name in PATTERNS}


@pytest.mark.parametrize("name", _CANCELLED)
def test_a_cancel_closes_the_call_and_frees_the_slot(
    stories: Stories, name: str, record_property: Callable[[str, object], None]
) -> None:
    record_property("measured", measured(stories["cancel", name]))
    check(stories["cancel", name], "cancelled", None)


@pytest.mark.parametrize("name", _TIMED_OUT)
def test_a_timeout_closes_the_call_and_frees_the_slot(
    stories: Stories, name: str, record_property: Callable[[str, object], None]
) -> None:
    record_property("measured", measured(stories["timeout", name]))
    check(stories["timeout", name], "failed", "timeout")
