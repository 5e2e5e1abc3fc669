"""An agent that a waiting thread runs: one event loop for all tasks, and a stop when its task is cancelled."""

import asyncio
import os
import signal
import threading
import time
from contextlib import suppress
from contextvars import ContextVar

import pytest

from patterns.agents.interruptible import Interruptible
from patterns.agents.process_loop import LoopTask, process_loop
from patterns.agents.running import Agent, ReportProgress, TaskEnded
from patterns.agents.watched import run_watched
from tests.support import agents
from tests.support.waiting import PATIENCE_SECONDS, at_once
from tests.support.watching import Cancelled, Unwatched

_task_id: ContextVar[str] = ContextVar("task_id", default="nothing")
_FOREVER = 3600.0


async def which_loop(prompt: str, report_progress: ReportProgress) -> str:
    """Returns the event loop and the thread on which it runs."""
    return f"{id(asyncio.get_running_loop())} {threading.get_ident()}"


async def which_task_id(prompt: str, report_progress: ReportProgress) -> str:
    """Returns the context variable as it sees it, and as a task that it creates sees it."""

    async def inner() -> str:
        return _task_id.get()

    return f"{_task_id.get()} {await asyncio.create_task(inner())}"


def test_all_tasks_of_a_process_share_one_loop() -> None:
    one_by_one = {run_watched(which_loop, "", Unwatched()) for _ in range(5)}
    together = set(at_once(10, lambda _: run_watched(which_loop, "", Unwatched())))

    assert one_by_one == together
    assert len(together) == 1


def test_a_plain_function_that_returns_a_coroutine_uses_it_too() -> None:
    def plain(prompt: str, report_progress: ReportProgress) -> object:
        return which_loop(prompt, report_progress)

    agent: Agent = plain  # type: ignore[assignment]  # as a decorator may leave it
    assert run_watched(agent, "", Unwatched()) == run_watched(which_loop, "", Unwatched())


def test_the_loop_does_not_run_in_the_main_thread() -> None:
    assert run_watched(which_loop, "", Unwatched()).split()[1] != str(threading.main_thread().ident)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_gets_its_own_loop() -> None:
    process_loop()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover
        with suppress(BaseException):
            os.write(writer, run_watched(agents.async_agent, "from the child", Unwatched()).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as result:
        assert result.read() == "async: from the child"
    os.waitpid(child, 0)


def test_context_variables_go_with_the_task() -> None:
    def run(number: int) -> str:
        _task_id.set(f"task-{number}")
        return run_watched(which_task_id, "", Unwatched())

    assert at_once(5, run) == [f"task-{number} task-{number}" for number in range(5)]


def test_a_task_that_an_agent_creates_cannot_end_the_loop() -> None:
    async def starts_what_exits(prompt: str, report_progress: ReportProgress) -> str:
        async def exits() -> None:
            raise SystemExit(3)

        started = asyncio.create_task(exits())
        await asyncio.wait({started})
        with suppress(SystemExit):
            started.result()
        return "it exited"

    assert run_watched(starts_what_exits, "", Unwatched()) == "it exited"
    assert run_watched(agents.async_agent, "next", Unwatched()) == "async: next"


def test_an_agent_that_is_cancelled_before_it_starts_is_never_called() -> None:
    called: list[str] = []
    blocked = threading.Event()
    process_loop().call_soon_threadsafe(blocked.wait, PATIENCE_SECONDS)

    async def agent() -> None:
        called.append("it started")

    task = LoopTask(agent)
    task.cancel()
    blocked.set()

    assert task.done.wait(PATIENCE_SECONDS)
    with pytest.raises(asyncio.CancelledError):
        task.result()
    assert called == []


def test_a_cancel_between_two_awaits_stops_the_agent_at_the_next() -> None:
    watch, steps = Cancelled(), list[str]()

    async def agent(prompt: str, report_progress: ReportProgress) -> str:
        await asyncio.sleep(0)
        watch.now.set()
        await asyncio.to_thread(time.sleep, 0)  # whichever await comes next
        steps.append("between")
        await asyncio.sleep(_FOREVER)
        return "never"

    with pytest.raises(TaskEnded):
        run_watched(agent, "", watch)
    assert watch.abandoned_after == []


def test_a_cancel_after_the_result_has_no_effect() -> None:
    watch = Cancelled()

    result = run_watched(agents.async_agent, "done", watch)
    watch.now.set()

    assert result == "async: done"
    assert run_watched(agents.async_agent, "next", Unwatched()) == "async: next"


def test_a_cancelled_agent_may_clean_up() -> None:
    watch, cleaned = Cancelled(), threading.Event()

    async def agent(prompt: str, report_progress: ReportProgress) -> str:
        watch.now.set()
        try:
            await asyncio.sleep(_FOREVER)
        finally:
            await asyncio.sleep(0.01)
            cleaned.set()
        return "never"

    with pytest.raises(TaskEnded):
        run_watched(agent, "", watch)
    assert cleaned.is_set()
    assert watch.abandoned_after == []


def test_an_agent_that_ignores_its_cancellation_is_reported_and_abandoned() -> None:
    watch = Cancelled()
    watch.now.set()
    agents.enough.clear()

    with pytest.raises(TaskEnded):
        run_watched(agents.swallows_cancellation, "", watch)
    agents.enough.set()

    assert len(watch.abandoned_after) == 1


def test_a_sync_agent_in_the_main_thread_is_interrupted_where_it_waits() -> None:
    watch = Cancelled()

    def agent(prompt: str, report_progress: ReportProgress) -> str:
        watch.now.set()
        time.sleep(_FOREVER)
        return "never"

    before = signal.getsignal(signal.SIGUSR1)
    with pytest.raises(TaskEnded):
        run_watched(agent, "", watch)
    assert watch.abandoned_after == []
    assert signal.getsignal(signal.SIGUSR1) == before


def test_a_sync_agent_that_catches_the_interruption_is_reported() -> None:
    watch, reported = Cancelled(), threading.Event()
    watch.not_stopped = lambda cause: reported.set()  # type: ignore[method-assign]

    def agent(prompt: str, report_progress: ReportProgress) -> str:
        watch.now.set()
        with suppress(TaskEnded):
            time.sleep(_FOREVER)
        assert reported.wait(PATIENCE_SECONDS)
        return "it went on"

    assert run_watched(agent, "", watch) == "it went on"


def test_a_sync_agent_in_another_thread_is_reported_and_not_interrupted() -> None:
    watch, reported = Cancelled(), threading.Event()
    watch.not_stopped = lambda cause: reported.set()  # type: ignore[method-assign]

    def agent(prompt: str, report_progress: ReportProgress) -> str:
        watch.now.set()
        assert reported.wait(PATIENCE_SECONDS)
        return "it went on"

    assert at_once(1, lambda _: run_watched(agent, "", watch)) == ["it went on"]


def test_a_block_is_interrupted_once_and_the_code_after_it_never() -> None:
    with Interruptible() as block:
        threading.Timer(0.01, block.interrupt, [TaskEnded()]).start()
        with pytest.raises(TaskEnded):
            time.sleep(_FOREVER)
        at_once(1, lambda _: block.interrupt(TaskEnded()))
        cleaned_up = True
    at_once(1, lambda _: block.interrupt(TaskEnded()))

    assert cleaned_up


def test_a_soft_time_limit_interrupts_a_block_too() -> None:
    def soft_limit(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGUSR1, soft_limit)
    try:
        with Interruptible() as block:
            with pytest.raises(TimeoutError):
                signal.raise_signal(signal.SIGUSR1)
            signal.raise_signal(signal.SIGUSR1)  # the cleanup is not interrupted
        assert isinstance(block.cause, TimeoutError)
    finally:
        signal.signal(signal.SIGUSR1, before)
