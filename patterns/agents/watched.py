"""Runs an agent while its thread waits, and stops it when its task is cancelled or times out.

An async agent runs on the event loop of the process and is cancelled at its current `await`. A sync agent runs in the
calling thread. It is interrupted if that is the main thread; other threads cannot be interrupted.
"""

import inspect
import threading
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import Protocol

from patterns.agents.interruptible import Interruptible
from patterns.agents.process_loop import LoopTask
from patterns.agents.running import CLEAN_UP_SECONDS, Agent, checked, is_async

#: How often a running task is checked for cancellation.
CHECK_SECONDS = 0.5


class Watch(Protocol):
    """Watches one task while its agent runs. Methods are called from any thread."""

    def report_progress(self, percent: int, message: str | None = None) -> None:
        """Called by the agent. Raises the `stop_reason`, if there is one."""

    def stop_reason(self) -> BaseException | None:
        """The exception that must stop the agent now, or None. Called every `CHECK_SECONDS`."""

    def not_stopped(self, cause: BaseException) -> None:
        """Called if the agent is still running `CLEAN_UP_SECONDS` after `cause` was raised in it."""


def run_watched(agent: Agent, prompt: str, watch: Watch) -> str:
    """Run the agent and return its result. Raises the exception of the agent, or the one that stopped it."""
    start: Callable[[], object] = partial(agent, prompt, watch.report_progress)
    with Interruptible() as this_thread:
        if not is_async(agent):
            outcome = _call(start, watch, this_thread)
            if not inspect.isawaitable(outcome):
                return checked(outcome)
            start = partial(_identity, outcome)
        return checked(_wait_for(LoopTask(start), watch))


def _identity(outcome: object) -> object:
    return outcome


def _wait_for(task: LoopTask, watch: Watch) -> object:
    try:
        while not task.done.wait(CHECK_SECONDS):
            if cause := watch.stop_reason():
                raise cause
    except BaseException as cause:  # also raised by a signal: a soft time limit, or the worker's stop
        task.cancel()
        if not task.done.wait(CLEAN_UP_SECONDS):
            watch.not_stopped(cause)
        raise
    return task.result()


def _call(start: Callable[[], object], watch: Watch, this_thread: Interruptible) -> object:
    returned = threading.Event()

    def check() -> None:
        while not returned.wait(CHECK_SECONDS):
            if cause := this_thread.cause or watch.stop_reason():
                this_thread.interrupt(cause)
                if not returned.wait(CLEAN_UP_SECONDS):
                    watch.not_stopped(cause)
                return

    threading.Thread(target=copy_context().run, args=(check,), name="watch", daemon=True).start()
    try:
        return start()
    finally:
        returned.set()
