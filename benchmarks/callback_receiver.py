"""A webhook receiver on asyncio: verifies and counts callbacks, and can be down, slow or broken.

`python -m benchmarks.callback_receiver PORT` accepts every callback without verification, in its own process. It must
use less CPU than the server that calls it, so it is a few lines of HTTP instead of a framework. The load process has
its own receiver on gevent: `benchmarks.load.process.gevent_receiver`.
"""

import asyncio
import contextlib
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from standardwebhooks import Webhook, WebhookVerificationError

_HEAD_BYTES = 32_768


class CallbackReceiver:
    """Responds with 204 to every callback with a valid signature; without a `secret`, to every callback.

    Each response takes `answer_after` seconds. While `broken` is set, it is 500.
    """

    def __init__(self, secret: str | None, port: int = 0) -> None:
        self._verifier = Webhook(secret) if secret else None
        self._server: asyncio.Server | None = None
        self._port = port
        self._open: set[asyncio.StreamWriter] = set()
        #: The number of verified callbacks per webhook-id.
        self.received: Counter[str] = Counter()
        self.answer_after = 0.0
        self.broken = False

    @property
    def url(self) -> str:
        """The callback URL, which `down` and `up` keep."""
        return f"http://127.0.0.1:{self._port}/outcomes"

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["CallbackReceiver"]:
        """Listen while the block lasts."""
        await self.up()
        try:
            yield self
        finally:
            await self.down()

    async def up(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port, limit=_HEAD_BYTES)
        self._port = self._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        """Refuse new connections and abort open ones."""
        if self._server:
            self._server.close()
            for writer in list(self._open):
                writer.transport.abort()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while True:
                headers = _headers(await reader.readuntil(b"\r\n\r\n"))
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                if self.answer_after:
                    await asyncio.sleep(self.answer_after)
                writer.write(f"HTTP/1.1 {self._accept(headers, body)} X\r\ncontent-length: 0\r\n\r\n".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ValueError):
            pass  # the client disconnected, or does not speak HTTP
        except asyncio.CancelledError:
            pass  # at shutdown nothing awaits this task, and asyncio would log it
        finally:
            self._open.discard(writer)
            with contextlib.suppress(ConnectionError):
                writer.close()

    def _accept(self, headers: dict[str, str], body: bytes) -> int:
        if self.broken:
            return 500
        if self._verifier is None:
            return 204
        try:
            self._verifier.verify(body, headers)
        except (WebhookVerificationError, ValueError):
            return 400
        self.received[headers["webhook-id"]] += 1
        return 204


def _headers(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines if line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


async def _receive_all(port: int) -> None:
    async with CallbackReceiver(None, port).listening():
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_receive_all(int(sys.argv[1])))
