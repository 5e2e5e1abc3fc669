"""The receiver of a fault run's callbacks: it verifies each, counts it, and can be down, slow, or broken."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from standardwebhooks import Webhook, WebhookVerificationError

_HEAD_BYTES = 32_768


class Receiver:
    """Answers 2xx to every callback that is genuine, unless it is told otherwise."""

    def __init__(self, secret: str) -> None:
        self._verifier = Webhook(secret)
        self._server: asyncio.Server | None = None
        self._port = 0
        self._open: set[asyncio.StreamWriter] = set()
        #: How often each webhook-id was taken.
        self.taken: Counter[str] = Counter()
        self.forged = 0
        self.answer_after = 0.0
        self.broken = False

    @property
    def url(self) -> str:
        """Where it is, or was and will be again."""
        return f"http://127.0.0.1:{self._port}/hook"

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Receiver"]:
        """Up for as long as the block lasts."""
        await self.up()
        try:
            yield self
        finally:
            await self.down()

    async def up(self) -> None:
        """Listen, on the port it had before if there was one."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port, limit=_HEAD_BYTES)
        self._port = self._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        """Refuse every connection, and cut those that are open."""
        if self._server:
            self._server.close()
            for writer in list(self._open):
                writer.transport.abort()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                fields = _fields(head)
                body = await reader.readexactly(int(fields.get("content-length", "0")))
                await asyncio.sleep(self.answer_after)
                status = self._take(fields, body)
                writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ValueError):
            pass  # the other end has gone, or speaks something else
        except asyncio.CancelledError:
            pass  # the run is over, and nobody waits for this task: asyncio would complain about it
        finally:
            self._open.discard(writer)
            with contextlib.suppress(ConnectionError):
                writer.close()

    def _take(self, fields: dict[str, str], body: bytes) -> int:
        if self.broken:
            return 500
        try:
            self._verifier.verify(body, fields)
        except (WebhookVerificationError, ValueError):
            self.forged += 1
            return 400
        self.taken[fields["webhook-id"]] += 1
        return 204


def _fields(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines if line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
