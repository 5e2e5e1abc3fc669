"""Many connections at once, on one event loop: a thread for each would measure threads, not the server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

import httpx

from tests.support.serving import Served
from tests.support.waiting import PATIENCE_SECONDS

T = TypeVar("T")
#: How many are opened at a time: more would test the machine's queue of new connections.
_OPENED_AT_ONCE = 100


class Member:
    """One of the connections."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        """Send these bytes, if the server still reads them."""
        with suppress(ConnectionError):
            self._writer.write(data)
            await self._writer.drain()

    async def answer(self) -> tuple[int, bytes]:
        """The next answer: its status and its body; 0 when the connection was closed without one."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), PATIENCE_SECONDS)
            fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
            return int(head.split()[1]), await self._reader.readexactly(int(fields.get(b"content-length", b"0")))
        return 0, b""

    async def closed(self) -> bytes:
        """What still comes until the server closes the connection, which it must."""
        with suppress(ConnectionError):
            return await asyncio.wait_for(self._reader.read(), PATIENCE_SECONDS)
        return b""

    def leave(self) -> None:
        """Close it, without waiting for anything."""
        self._writer.transport.abort()


async def joining(served: Served, says: bytes = b"") -> Member:
    """Open one more connection, and send these bytes."""
    url = httpx.URL(served.url)
    member = Member(*await asyncio.open_connection(url.host, url.port))
    await member.send(says)
    return member


@asynccontextmanager
async def crowd(served: Served, size: int, says: bytes = b"") -> AsyncIterator[list[Member]]:
    """Open `size` connections for as long as the block lasts, and send the same bytes over each."""

    async def join(_: int) -> Member:
        return await joining(served, says)

    members: list[Member] = []
    try:
        for start in range(0, size, _OPENED_AT_ONCE):
            members += await all_of(join, range(start, min(size, start + _OPENED_AT_ONCE)))
        yield members
    finally:
        for member in members:
            member.leave()


async def all_of(do: Callable[[int], Awaitable[T]], numbers: range) -> list[T]:
    """Do it for each number, all at the same time."""
    return list(await asyncio.gather(*(do(number) for number in numbers)))
