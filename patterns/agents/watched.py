"""Run an agent from a thread that waits for it, and end it when its task is cancelled or has timed out.

An async agent runs on the process's event loop and is cancelled where it awaits. A sync agent runs in the calling
thread and is interrupted there if that is the main thread; no other thread can be interrupted.
"""

import inspect
import threading
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import Protocol

from patterns.agents.interruptible import Interruptible
from patterns.agents.process_loop import LoopTask
from patterns.agents.running import CLEAN_UP_SECONDS, Agent, is_async, text_of

#: How often a running task is looked at: it may have been cancelled.
LOOK_SECONDS = 0.5


class Watch(Protocol):
    """What is known of one task while its agent runs. Every method is called from any thread."""

    def report_progress(self, percent: int) -> None:
        """What the agent calls. Raises what ends it, if its task has ended."""

    def why_end(self) -> BaseException | None:
        """What is to end the agent now, or None. Called every `LOOK_SECONDS`."""

    def not_stopped(self, cause: BaseException) -> None:
        """The agent goes on, `CLEAN_UP_SECONDS` after `cause` was raised in it."""


def run_watched(agent: Agent, prompt: str, watch: Watch) -> str:
    """Run the agent to its end and return its result. Raises what it raised, or what has ended it."""
    start: Callable[[], object] = partial(agent, prompt, watch.report_progress)
    with Interruptible() as this_thread:
        if not is_async(agent):
            outcome = _call(start, watch, this_thread)
            if not inspect.isawaitable(outcome):
                return text_of(outcome)
            start = partial(_given, outcome)
        return text_of(_wait_for(LoopTask(start), watch))


def _given(outcome: object) -> object:
    return outcome


def _wait_for(task: LoopTask, watch: Watch) -> object:
    try:
        while not task.done.wait(LOOK_SECONDS):
            if cause := watch.why_end():
                raise cause
    except BaseException as cause:  # also what a signal raises here: a soft time limit, or the stop of the worker
        task.cancel()
        if not task.done.wait(CLEAN_UP_SECONDS):
            watch.not_stopped(cause)
        raise
    return task.result()


def _call(start: Callable[[], object], watch: Watch, this_thread: Interruptible) -> object:
    returned = threading.Event()

    def look() -> None:
        while not returned.wait(LOOK_SECONDS):
            if cause := this_thread.cause or watch.why_end():
                this_thread.interrupt(cause)
                if not returned.wait(CLEAN_UP_SECONDS):
                    watch.not_stopped(cause)
                return

    threading.Thread(target=copy_context().run, args=(look,), name="watch", daemon=True).start()
    try:
        return start()
    finally:
        returned.set()
