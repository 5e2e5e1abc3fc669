"""A task in the web process: whatever the agent does, its record is finished, and the server goes on."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from patterns.agents.running import Agent, ReportProgress, describe, run_in_daemon_thread, run_on_event_loop
from patterns.contract import ErrorCode, Task, TaskStatus
from patterns.tasks.execution import RunAgent, execute
from patterns.tasks.memory_store import MemoryStore
from tests.support import agents

_GOOD = [agents.sync_agent, agents.async_agent, agents.coroutine_from_sync, agents.callable_agent]
_BAD: dict[Any, str] = {
    agents.returns_a_number: "TypeError: an agent must return a str, and this one returned int",
    agents.returns_none: "TypeError: an agent must return a str, and this one returned NoneType",
    agents.raises: "ValueError: the first line and the second",
    agents.raises_later: "LookupError",
    agents.reports_a_text: "ValueError: invalid literal for int() with base 10: '50%'",
    agents.exits: "sys.exit()",
    agents.exits_later: "sys.exit()",
    agents.stops_iteration: "no more",
    agents.cancels_itself: "cancelled itself",
}


@pytest.fixture
def store() -> MemoryStore:
    """Room for a few tasks."""
    return MemoryStore(limit=10, ttl=60)


@pytest.fixture(autouse=True)
async def nothing_is_left() -> AsyncIterator[None]:
    """End the agents that ignored their cancellation at the end of a test."""
    before = asyncio.all_tasks()
    agents.enough.clear()
    yield
    agents.enough.set()
    itself = {task for task in (asyncio.current_task(),) if task}
    if left := asyncio.all_tasks() - before - itself:
        await asyncio.wait(left, timeout=30)


@pytest.fixture(params=[run_on_event_loop, run_in_daemon_thread], ids=["on the loop", "in a thread"])
def run(request: pytest.FixtureRequest) -> RunAgent:
    """Both ways to run an agent."""
    way: RunAgent = request.param
    return way


async def outcome(store: MemoryStore, run: RunAgent, agent: Agent, timeout: float = 30.0) -> Task:
    """The outcome of a new task."""
    task, _ = store.create("hello")
    await execute(store, run, agent, task.task_id, "hello", timeout)
    ended = await store.get(task.task_id)
    assert ended is not None
    return ended


@pytest.mark.parametrize("agent", _GOOD)
async def test_a_good_agent_completes_its_task(store: MemoryStore, run: RunAgent, agent: Agent) -> None:
    task = await outcome(store, run, agent)

    assert task.status is TaskStatus.COMPLETED
    assert task.progress == 100
    assert task.result is not None
    assert task.result.endswith("hello")


@pytest.mark.parametrize(("agent", "message"), _BAD.items(), ids=[agent.__name__ for agent in _BAD])
async def test_a_bad_agent_fails_its_task_with_one_line(
    store: MemoryStore, run: RunAgent, agent: Agent, message: str
) -> None:
    task = await outcome(store, run, agent)

    assert task.status is TaskStatus.FAILED
    assert task.error is not None
    assert task.error.code is ErrorCode.AGENT_ERROR
    assert message in task.error.message
    assert "\n" not in task.error.message


@pytest.mark.parametrize("agent", [agents.swallows_cancellation, agents.works_until_ended])
async def test_an_agent_that_ignores_cancellation_ends_as_timed_out(
    store: MemoryStore, run: RunAgent, agent: Agent
) -> None:
    task = await outcome(store, run, agent, timeout=0.1)

    assert task.status is TaskStatus.FAILED
    assert task.error is not None
    assert task.error.code is ErrorCode.TIMEOUT


async def test_progress_is_seen_while_the_agent_runs(store: MemoryStore, run: RunAgent) -> None:
    task, _ = store.create("hello")
    reported, go_on = threading.Event(), threading.Event()

    async def reports(prompt: str, report_progress: Callable[[int], None]) -> str:
        report_progress(30)
        reported.set()
        await asyncio.to_thread(go_on.wait, 30)
        return "done"

    working = asyncio.create_task(execute(store, run, reports, task.task_id, "hello", 30))
    await asyncio.to_thread(reported.wait, 30)
    await asyncio.sleep(0)
    seen = await store.get(task.task_id)
    go_on.set()
    await working

    assert seen is not None
    assert seen.status is TaskStatus.RUNNING
    assert seen.progress == 30


async def _reports_and_fails(prompt: str, report_progress: ReportProgress) -> str:
    report_progress(60, "reading the last page")
    raise ValueError("the page is empty")


def _reports_and_fails_in_a_thread(prompt: str, report_progress: ReportProgress) -> str:
    report_progress(60, "reading the last page")
    raise ValueError("the page is empty")


@pytest.mark.parametrize("agent", [_reports_and_fails, _reports_and_fails_in_a_thread], ids=["async", "sync"])
async def test_a_report_just_before_the_outcome_is_kept(store: MemoryStore, run: RunAgent, agent: Agent) -> None:
    task = await outcome(store, run, agent)

    assert task.status is TaskStatus.FAILED
    assert (task.progress, task.message) == (60, "reading the last page")


async def test_cancelling_a_task_ends_its_execution_immediately(store: MemoryStore, run: RunAgent) -> None:
    task, _ = store.create("hello")
    noticed = threading.Event()

    def listens(prompt: str, report_progress: Callable[[int], None]) -> str:
        try:
            while True:
                report_progress(10)
        finally:
            noticed.set()

    working = asyncio.create_task(execute(store, run, listens, task.task_id, "hello", 3600))
    async with asyncio.timeout(30):
        # A store does not announce that a task has started.
        while not (seen := await store.get(task.task_id)) or seen.status is TaskStatus.PENDING:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await store.cancel(task.task_id)
        await working

    assert await asyncio.to_thread(noticed.wait, 30)  # the agent noticed too, when it reported
    ended = await store.get(task.task_id)
    assert ended is not None
    assert ended.status is TaskStatus.CANCELLED


async def test_a_task_that_was_cancelled_while_it_waited_never_reaches_its_agent(
    store: MemoryStore, run: RunAgent
) -> None:
    task, _ = store.create("hello")
    await store.cancel(task.task_id)
    called: list[str] = []

    def agent(prompt: str, report_progress: Callable[[int], None]) -> str:
        called.append(prompt)
        return "done"

    await execute(store, run, agent, task.task_id, "hello", 30)

    assert called == []


async def test_a_stop_ends_the_execution(store: MemoryStore, run: RunAgent) -> None:
    task, _ = store.create("hello")
    working = asyncio.create_task(execute(store, run, agents.swallows_cancellation, task.task_id, "hello", 3600))
    await asyncio.sleep(0.05)

    await store.drain(0.01)

    async with asyncio.timeout(30):
        await working
    ended = await store.get(task.task_id)
    assert ended is not None
    assert ended.error is not None
    assert ended.error.code is ErrorCode.SHUTDOWN


def test_an_error_is_described_in_one_short_line() -> None:
    assert describe(ValueError("two\n   lines")) == "ValueError: two lines"
    assert describe(KeyError()) == "KeyError"
    assert len(describe(ValueError("x" * 10_000))) == 500
