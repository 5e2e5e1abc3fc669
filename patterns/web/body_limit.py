"""Limits the size of request bodies, with or without a `Content-Length`: a longer body gets a 413 problem.

Starlette has such a limit too (`max_body_size`), but responds in plain text when `Content-Length` exceeds it.
"""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from patterns.web.mounting import route_path


class BodyLimit:
    """ASGI middleware: a body sent to `path` has at most `max_bytes` bytes."""

    def __init__(self, app: ASGIApp, path: str, max_bytes: int) -> None:
        self.app = app
        self._path = path
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raise where the app reads the body, so that the app's own error handler responds."""
        if scope["type"] != "http" or route_path(scope) != self._path:
            await self.app(scope, receive, send)
            return
        received = 0
        too_long = any(name == b"content-length" and int(value) > self._max_bytes for name, value in scope["headers"])

        async def receive_at_most() -> Message:
            nonlocal received
            if too_long:
                raise HTTPException(413)
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise HTTPException(413)
            return message

        await self.app(scope, receive_at_most, send)
