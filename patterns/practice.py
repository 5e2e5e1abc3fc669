"""The agent of the exercises: it works for seconds, here in steps of a second, and says how far it is.

`run_agent` blocks the thread that calls it, as a library without `async` does. `run_agent_async` waits without
blocking. Both raise `RuntimeError` when the agent fails, or `TimeoutError` when its model took too long; a prompt
that starts with "fail:" makes it fail.

A checkpoint puts itself in the agent's place: with `KIT_PRACTICE_DESK` set to a Unix socket, the agent asks
there what to do, so that a test can hold it, move it on, and let it finish or fail, without any clock.
"""

import asyncio
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

_DESK = "KIT_PRACTICE_DESK"
_REPORTED = b"{}\n"


def _nobody_asked(percent: float) -> None:
    """For whoever does not want to know."""


def run_agent(prompt: str, report_progress: Callable[[float], None] = _nobody_asked) -> str:
    """Work on a prompt, and give the answer. It takes seconds, and the calling thread does nothing else meanwhile."""
    if desk := os.environ.get(_DESK):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(desk)
            connection.sendall(_hello(prompt))
            with connection.makefile("rb") as orders:
                for line in orders:
                    if (answer := _obey(line, report_progress)) is not None:
                        return answer
                    connection.sendall(_REPORTED)
        raise RuntimeError("the agent lost its connection")
    for percent, pause in _steps(prompt):
        time.sleep(pause)
        report_progress(percent)
    return _answer(prompt)


async def run_agent_async(prompt: str, report_progress: Callable[[float], None] = _nobody_asked) -> str:
    """The same for `await`: the event loop goes on while the agent waits."""
    if desk := os.environ.get(_DESK):
        orders, writer = await asyncio.open_unix_connection(desk)
        try:
            writer.write(_hello(prompt))
            async for line in orders:
                if (answer := _obey(line, report_progress)) is not None:
                    return answer
                writer.write(_REPORTED)
        finally:
            writer.close()
        raise RuntimeError("the agent lost its connection")
    for percent, pause in _steps(prompt):
        await asyncio.sleep(pause)
        report_progress(percent)
    return _answer(prompt)


def _hello(prompt: object) -> bytes:
    return json.dumps({"prompt": prompt, "pid": os.getpid()}, default=repr).encode() + b"\n"


def _obey(line: bytes, report_progress: Callable[[float], None]) -> str | None:
    order: dict[str, Any] = json.loads(line)
    if "fail" in order and order.get("kind") == "TimeoutError":  # with the cause that `asyncio.timeout` gives it
        raise TimeoutError(order["fail"]) from asyncio.CancelledError()
    if "fail" in order:
        raise RuntimeError(order["fail"])
    if "progress" in order:
        report_progress(order["progress"])
    answer: str | None = order.get("finish")
    return answer


def _steps(prompt: str) -> Iterator[tuple[float, float]]:
    from patterns.contract.settings import load_settings  # noqa: PLC0415 a checkpoint never gets here, and starts sooner

    settings = load_settings()
    for step in range(1, settings.agent_steps + 1):
        if prompt.startswith("fail:") and step > settings.agent_steps // 2:
            raise RuntimeError("the agent was told to fail")
        yield 100 * step / settings.agent_steps, settings.agent_step_seconds


def _answer(prompt: str) -> str:
    return f"The agent has thought about {prompt!r}."
