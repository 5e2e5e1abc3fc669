"""The agent of the exercises: it works for some seconds, and reports its progress after each step.

`run_agent` blocks the calling thread, as a library without `async` does. `run_agent_async` does not block. Both raise
`RuntimeError` if the agent fails, or `TimeoutError` if its model takes too long. A prompt that starts with "fail:"
makes the agent fail.

Checkpoints control the agent: if `KIT_PRACTICE_DESK` is the path of a Unix socket, the agent connects to it and follows
its commands. So a test decides when the agent reports progress, finishes or fails, and depends on no clock.
"""

import asyncio
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

_CONTROL_SOCKET = "KIT_PRACTICE_DESK"
_DONE = b"{}\n"


def _ignore_progress(percent: float) -> None:
    """The default progress callback."""


def run_agent(prompt: str, report_progress: Callable[[float], None] = _ignore_progress) -> str:
    """Work on a prompt, and return the result. It takes some seconds, and blocks the calling thread."""
    if path := os.environ.get(_CONTROL_SOCKET):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)
            connection.sendall(_hello(prompt))
            with connection.makefile("rb") as commands:
                for line in commands:
                    if (result := _execute(line, report_progress)) is not None:
                        return result
                    connection.sendall(_DONE)
        raise RuntimeError("the agent lost its connection")
    for percent, pause in _steps(prompt):
        time.sleep(pause)
        report_progress(percent)
    return _result(prompt)


async def run_agent_async(prompt: str, report_progress: Callable[[float], None] = _ignore_progress) -> str:
    """Work on a prompt, and return the result. It takes some seconds, and does not block the event loop."""
    if path := os.environ.get(_CONTROL_SOCKET):
        commands, writer = await asyncio.open_unix_connection(path)
        try:
            writer.write(_hello(prompt))
            async for line in commands:
                if (result := _execute(line, report_progress)) is not None:
                    return result
                writer.write(_DONE)
        finally:
            writer.close()
        raise RuntimeError("the agent lost its connection")
    for percent, pause in _steps(prompt):
        await asyncio.sleep(pause)
        report_progress(percent)
    return _result(prompt)


def _hello(prompt: object) -> bytes:
    return json.dumps({"prompt": prompt, "pid": os.getpid()}, default=repr).encode() + b"\n"


def _execute(line: bytes, report_progress: Callable[[float], None]) -> str | None:
    command: dict[str, Any] = json.loads(line)
    if "fail" in command and command.get("kind") == "TimeoutError":  # with the same cause as from `asyncio.timeout`
        raise TimeoutError(command["fail"]) from asyncio.CancelledError()
    if "fail" in command:
        raise RuntimeError(command["fail"])
    if "progress" in command:
        report_progress(command["progress"])
    result: str | None = command.get("finish")
    return result


def _steps(prompt: str) -> Iterator[tuple[float, float]]:
    from patterns.contract.settings import load_settings  # noqa: PLC0415 checkpoints start faster without it

    settings = load_settings()
    for step in range(1, settings.agent_steps + 1):
        if prompt.startswith("fail:") and step > settings.agent_steps // 2:
            raise RuntimeError("the agent failed, as requested")
        yield 100 * step / settings.agent_steps, settings.agent_step_seconds


def _result(prompt: str) -> str:
    return f"The agent has thought about {prompt!r}."
