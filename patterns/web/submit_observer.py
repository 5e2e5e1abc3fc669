"""Count submits by their answer, and trace them, whether the route, an error handler or a limit answers.

A submit ends with its response. FastAPI runs background tasks after it, in the same call: they are no part of it.
"""

from collections import Counter
from contextlib import ExitStack

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from patterns.observability.tracing import tracing

#: The scope's key under which a handler leaves the name of a store's error: two of them are answered 503, two 422.
REFUSED = "longjobs.refused"

_BY_STATUS = {202: "accepted", 413: "too_long", 422: "invalid"}
#: Every answer that is counted separately.
ANSWERS = ("accepted", "queue_full", "unavailable", "invalid", "key_reused", "too_long", "error")


class SubmitObserver:
    """ASGI middleware: counts each answer to a POST to `path` in `answers`. Other requests pass through untouched."""

    def __init__(self, app: ASGIApp, path: str, pattern: str, answers: Counter[str]) -> None:
        self.app = app
        self._path = path
        self._pattern = pattern
        self._answers = answers
        self._tracing = tracing()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note the status when the response starts, and end the span when it is complete."""
        if scope["type"] != "http" or scope["path"] != self._path or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return

        with ExitStack() as span:
            span.enter_context(self._tracing.submit(self._pattern, scope["headers"]))

            async def send_observed(message: Message) -> None:
                if message["type"] == "http.response.start":
                    self._answers[scope.get(REFUSED) or _BY_STATUS.get(message["status"], "error")] += 1
                    self._tracing.answered(message["status"])
                await send(message)
                if message["type"] == "http.response.body" and not message.get("more_body", False):
                    span.close()

            await self.app(scope, receive, send_observed)
