"""A hostile network, for a server process that has this module as its agent's.

Names resolve as the names say, and one public address leads to a receiver on this machine. Nothing else of the server
is changed: it asks for names, checks and connects as it always does.
"""

import asyncio
import os
import socket
from typing import Any

import uvloop

from patterns.agents.running import ReportProgress

#: A public address, where the receiver of a test is.
PUBLIC = "93.184.215.14"
_RECEIVER = int(os.environ.get("HOSTILE_RECEIVER_PORT", "0"))
_asked: dict[str, int] = {}
_connect = uvloop.Loop.create_connection


async def _resolve(loop: asyncio.AbstractEventLoop, host: str, port: int, **_: Any) -> list[Any]:
    """`a--b.test` resolves to a at first, then to b; `a-and-b.test` to both; a dash is a dot, `x` a colon."""
    answers = host.removesuffix(".test").split("--")
    turn = _asked[host] = _asked.get(host, -1) + 1
    found = answers[min(turn, len(answers) - 1)].split("-and-")
    addresses = [part.replace("x", ":") if "x" in part else part.replace("-", ".") for part in found]
    return [
        (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
        for address in addresses
    ]


async def _lead(loop: Any, factory: Any, host: Any = None, port: Any = None, **more: Any) -> Any:
    if host == PUBLIC:
        host, port = "127.0.0.1", _RECEIVER
    return await _connect(loop, factory, host, port, **more)


if _RECEIVER:  # never where a test imports the name of the public address
    # Both are replaced on purpose, in this server's process alone.
    uvloop.Loop.getaddrinfo = _resolve  # type: ignore[method-assign, assignment]  # in its place, for the test
    uvloop.Loop.create_connection = _lead  # type: ignore[method-assign, assignment]  # the same


async def agent(prompt: str, report_progress: ReportProgress) -> str:
    """Return immediately."""
    return "done"
