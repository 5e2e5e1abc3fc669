"""A cancel closes the agent's call to its model, and the only slot is free for the next task.

What an agent does about its cancel takes an hour: if it were not interrupted nothing here would happen in time.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from patterns import BACKGROUND_TASKS, CELERY_QUEUE, IN_MEMORY_QUEUE
from tests.support.model_server import model_server
from tests.support.model_stories import (
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
from tests.support.serving import Servers
from tests.support.stories import Told

_SERVED = {
    "background_tasks": (BACKGROUND_TASKS, ASYNC_AGENT, EVERYWHERE),
    "in_memory_queue": (IN_MEMORY_QUEUE, ASYNC_AGENT, EVERYWHERE),
    "celery_queue": (CELERY_QUEUE, ASYNC_AGENT, IN_A_PROCESS),
    "celery_queue with a sync agent": (CELERY_QUEUE, SYNC_AGENT, SYNC),
}
_TIMEOUT = "celery_queue after a timeout"

Stories = dict[str, dict[str, Ended]]


def live_through(servers: Servers) -> Stories:
    """Cancel with each of them, and let tasks time out with Celery."""
    with model_server() as model, ThreadPoolExecutor(len(_SERVED) + 1) as threads:
        told = {name: threads.submit(cancelled, servers, model, *what) for name, what in _SERVED.items()}
        told[_TIMEOUT] = threads.submit(timed_out, servers, model, CELERY_QUEUE, ASYNC_AGENT, ["hangs"])
        return {name: story.result() for name, story in told.items()}


@pytest.fixture(scope="module")
def stories(told: Told) -> Stories:
    """What happened."""
    stories: Stories = told(__name__)
    return stories


@pytest.mark.parametrize("name", _SERVED)
def test_a_cancel_closes_the_call_and_frees_the_slot(
    stories: Stories, name: str, record_property: Callable[[str, object], None]
) -> None:
    record_property("measured", measured(stories[name]))
    check(stories[name], "cancelled", None)


def test_a_timeout_does_too(stories: Stories, record_property: Callable[[str, object], None]) -> None:
    record_property("measured", measured(stories[_TIMEOUT]))
    check(stories[_TIMEOUT], "failed", "timeout")
