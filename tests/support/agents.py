"""Agents as users write them, good and bad. `by_prompt` runs the agent that the first word of the prompt names."""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable
from contextlib import suppress
from pathlib import Path
from typing import Any

from patterns.agents.running import ReportProgress


def sync_agent(prompt: str, report_progress: ReportProgress) -> str:
    """A plain function."""
    report_progress(50)
    return f"sync: {prompt}"


async def async_agent(prompt: str, report_progress: ReportProgress) -> str:
    """A coroutine function."""
    await asyncio.sleep(0)
    report_progress(50)
    return f"async: {prompt}"


def coroutine_from_sync(prompt: str, report_progress: ReportProgress) -> Awaitable[str]:
    """A plain function that returns a coroutine, as a lambda or a decorator may."""
    return async_agent(prompt, report_progress)


class CallableAgent:
    """An object that is called."""

    async def __call__(self, prompt: str, report_progress: ReportProgress) -> str:
        """Answer."""
        return await async_agent(prompt, report_progress)

    def method(self, prompt: str, report_progress: ReportProgress) -> str:
        """Answer."""
        return sync_agent(prompt, report_progress)


callable_agent = CallableAgent()


def returns_a_number(prompt: str, report_progress: ReportProgress) -> Any:
    """Not a str."""
    return 42


async def returns_none(prompt: str, report_progress: ReportProgress) -> Any:
    """Not a str either: a forgotten `return`."""


def raises(prompt: str, report_progress: ReportProgress) -> str:
    """Fails, with a message of several lines."""
    raise ValueError("the first line\nand the second")


async def raises_later(prompt: str, report_progress: ReportProgress) -> str:
    """Fails, without a message."""
    await asyncio.sleep(0)
    raise LookupError


def reports_a_text(prompt: str, report_progress: ReportProgress) -> str:
    """Not a number."""
    report_progress("50%")  # type: ignore[arg-type]  # that is the mistake
    return "done"


def exits(prompt: str, report_progress: ReportProgress) -> str:
    """Tries to end the whole program."""
    sys.exit("the agent has had enough")


async def exits_later(prompt: str, report_progress: ReportProgress) -> str:
    """The same from a coroutine."""
    await asyncio.sleep(0)
    sys.exit(3)


def interrupts(prompt: str, report_progress: ReportProgress) -> str:
    """Raises what Ctrl-C raises."""
    raise KeyboardInterrupt


def stops_iteration(prompt: str, report_progress: ReportProgress) -> str:
    """Raises what a future refuses."""
    raise StopIteration("no more")


async def cancels_itself(prompt: str, report_progress: ReportProgress) -> str:
    """Raises what a cancelled task raises."""
    raise asyncio.CancelledError


#: Ends `swallows_cancellation`, in the process where it is set.
enough = threading.Event()


async def swallows_cancellation(prompt: str, report_progress: ReportProgress) -> str:
    """Ignores cancellation."""
    while not enough.is_set():
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0.02)
    return "at last"


def catches_everything(prompt: str, report_progress: ReportProgress) -> str:
    """Hangs, and catches every exception."""
    while True:
        with suppress(Exception):
            time.sleep(60)


def works_until_ended(prompt: str, report_progress: ReportProgress) -> str:
    """Blocks its thread, reports, and catches every ordinary exception."""
    while True:
        with suppress(Exception):
            time.sleep(0.01)
            report_progress(10)


def sleeps(prompt: str, report_progress: ReportProgress) -> str:
    """Takes as many seconds as the prompt says."""
    time.sleep(float(prompt.partition(":")[2]))
    return "slept"


async def sleeps_async(prompt: str, report_progress: ReportProgress) -> str:
    """Sleeps like `sleeps`, in a single await."""
    await asyncio.sleep(float(prompt.partition(":")[2]))
    return "slept"


def waits_for(prompt: str, report_progress: ReportProgress) -> str:
    """Runs until the file that the prompt names exists."""
    while not Path(prompt.partition(":")[2]).exists():
        time.sleep(0.02)
    return "it is there"


async def marks_and_waits_for(prompt: str, report_progress: ReportProgress) -> str:
    """Creates a file `NAME-0`, `NAME-1`, … in each run, then waits until the file `NAME` exists."""
    path = Path(prompt.partition(":")[2])
    for number in range(100):
        mark = path.with_name(f"{path.name}-{number}")
        if not mark.exists():
            mark.touch()
            break
    while not path.exists():  # noqa: ASYNC110, ASYNC240 another process creates it
        await asyncio.sleep(0.05)
    return "it is there"


def kills_its_process(prompt: str, report_progress: ReportProgress) -> str:
    """Dies, after a line in the file that the prompt names."""
    with Path(prompt.partition(":")[2]).open("a") as runs:
        runs.write("one more\n")
    os.kill(os.getpid(), signal.SIGKILL)
    return "never"


def kills_its_process_once(prompt: str, report_progress: ReportProgress) -> str:
    """Dies in its first run, after a line in the file that the prompt names, and answers in the next."""
    runs = Path(prompt.partition(":")[2])
    if runs.exists():
        return "this time it went well"
    return kills_its_process(prompt, report_progress)


def by_prompt(prompt: str, report_progress: ReportProgress) -> Any:
    """Any of the above, by its name before the colon."""
    return globals()[prompt.partition(":")[0]](prompt, report_progress)
