"""The receiver of `kit submit --webhook`: a server on loopback, in its own thread, for one callback."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from patterns.contract import Callback
from patterns.receiver import Receiver, Refused
from patterns.serving.sockets import listening_socket

#: More than any callback: the sender keeps them under 20 kB.
_MAX_BYTES = 100_000


class CallbackHook:
    """An ASGI app that receives callbacks. `outcome` is the first verified one, `refused` the errors of the others.

    Create it on the event loop that awaits `outcome`. Raises `ValueError` if the secret is not a signing key.
    """

    def __init__(self, secret: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._receiver = Receiver(secret)
        self.outcome: asyncio.Future[Callback] = self._loop.create_future()
        self.refused: list[Refused] = []
        self.app = Starlette(routes=[Route("/callback", self._hook, methods=["POST"])], max_body_size=_MAX_BYTES)

    async def _hook(self, request: Request) -> Response:
        try:
            callback = self._receiver.accept(request.headers, await request.body())
        except Refused as error:
            self.refused.append(error)
            return Response(str(error), 400)
        if callback is not None:  # not a repeated delivery
            self._loop.call_soon_threadsafe(self._deliver, callback)
        return Response(status_code=204)

    def _deliver(self, callback: Callback) -> None:
        if not self.outcome.done():
            self.outcome.set_result(callback)


@contextmanager
def receiving(hook: CallbackHook) -> Iterator[str]:
    """Serve the hook for as long as the block lasts. Yields its URL."""
    listener = listening_socket("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(hook.app, workers=1, log_level="error", access_log=False, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/callback"
    finally:
        server.should_exit = True
        thread.join(timeout=5)
        listener.close()
