"""413 for request bodies over the limit, as a problem, whichever way the client told their length.

Starlette has such a limit too (`max_body_size`), but answers in plain text when `Content-Length` is over it.
"""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from patterns.web.mounting import route_path


class BodyLimit:
    """ASGI middleware: bodies sent to `path` have at most `most_bytes`."""

    def __init__(self, app: ASGIApp, path: str, most_bytes: int) -> None:
        self.app = app
        self._path = path
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raise where the body is read, so that the app's own handler writes the answer."""
        if scope["type"] != "http" or route_path(scope) != self._path:
            await self.app(scope, receive, send)
            return
        received = 0
        too_long = any(name == b"content-length" and int(value) > self._most_bytes for name, value in scope["headers"])

        async def receive_at_most() -> Message:
            nonlocal received
            if too_long:
                raise HTTPException(413)
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._most_bytes:
                raise HTTPException(413)
            return message

        await self.app(scope, receive_at_most, send)
