"""An agent that a waiting thread runs: one event loop for all tasks, and an end when the task is no longer wanted."""

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

_about: ContextVar[str] = ContextVar("about", default="nothing")
_FOREVER = 3600.0


async def which_loop(prompt: str, report_progress: ReportProgress) -> str:
    """Says on which event loop, and in which thread, it runs."""
    return f"{id(asyncio.get_running_loop())} {threading.get_ident()}"


async def what_about(prompt: str, report_progress: ReportProgress) -> str:
    """Says what the context variable of its caller holds, and that of a task that it starts."""

    async def inner() -> str:
        return _about.get()

    return f"{_about.get()} {await asyncio.create_task(inner())}"


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


def test_the_loop_is_never_in_the_thread_that_gets_signals() -> None:
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
    with os.fdopen(reader) as answer:
        assert answer.read() == "async: from the child"
    os.waitpid(child, 0)


def test_context_variables_go_with_the_task() -> None:
    def run(number: int) -> str:
        _about.set(f"task-{number}")
        return run_watched(what_about, "", Unwatched())

    assert at_once(5, run) == [f"task-{number} task-{number}" for number in range(5)]


def test_a_task_that_an_agent_has_started_cannot_end_the_loop() -> None:
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


def test_a_cancel_before_the_agent_begins_ends_it_before_it_begins() -> None:
    called: list[str] = []
    blocked = threading.Event()
    process_loop().call_soon_threadsafe(blocked.wait, PATIENCE_SECONDS)

    async def agent() -> None:
        called.append("it began")

    task = LoopTask(agent)
    task.cancel()
    blocked.set()

    assert task.done.wait(PATIENCE_SECONDS)
    with pytest.raises(asyncio.CancelledError):
        task.result()
    assert called == []


def test_a_cancel_between_two_awaits_ends_it_at_the_next() -> None:
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
    assert watch.left_behind == []


def test_a_cancel_after_the_outcome_changes_nothing() -> None:
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
    assert watch.left_behind == []


def test_an_agent_that_ignores_its_cancellation_is_reported_and_left_behind() -> None:
    watch = Cancelled()
    watch.now.set()
    agents.enough.clear()

    with pytest.raises(TaskEnded):
        run_watched(agents.swallows_cancellation, "", watch)
    agents.enough.set()

    assert len(watch.left_behind) == 1


def test_a_sync_agent_in_the_main_thread_is_interrupted_where_it_waits() -> None:
    watch = Cancelled()

    def agent(prompt: str, report_progress: ReportProgress) -> str:
        watch.now.set()
        time.sleep(_FOREVER)
        return "never"

    before = signal.getsignal(signal.SIGUSR1)
    with pytest.raises(TaskEnded):
        run_watched(agent, "", watch)
    assert watch.left_behind == []
    assert signal.getsignal(signal.SIGUSR1) == before


def test_a_sync_agent_that_goes_on_all_the_same_is_reported() -> None:
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


def test_a_block_is_interrupted_once_and_what_comes_after_it_never() -> None:
    with Interruptible() as block:
        threading.Timer(0.01, block.interrupt, [TaskEnded()]).start()
        with pytest.raises(TaskEnded):
            time.sleep(_FOREVER)
        at_once(1, lambda _: block.interrupt(TaskEnded()))
        cleaned_up = True
    at_once(1, lambda _: block.interrupt(TaskEnded()))

    assert cleaned_up


def test_what_a_soft_time_limit_raises_interrupts_a_block_too() -> None:
    def soft_limit(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGUSR1, soft_limit)
    try:
        with Interruptible() as block:
            with pytest.raises(TimeoutError):
                signal.raise_signal(signal.SIGUSR1)
            signal.raise_signal(signal.SIGUSR1)  # cleaning up is not interrupted
        assert isinstance(block.cause, TimeoutError)
    finally:
        signal.signal(signal.SIGUSR1, before)
