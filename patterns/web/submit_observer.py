"""Counts and traces submits, whether the route, an error handler or a middleware responds.

The span of a submit ends with its response. FastAPI runs background tasks later in the same call: they are not part
of it.
"""

from collections import Counter
from contextlib import ExitStack

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from patterns.observability.tracing import tracing
from patterns.web.mounting import route_path

#: The key in the ASGI scope where an error handler leaves the label of a store's error: statuses are ambiguous.
ERROR_LABEL = "longjobs.error_label"

_BY_STATUS = {202: "accepted", 413: "too_long", 422: "invalid"}
#: The values of the label `answer`.
ANSWERS = ("accepted", "queue_full", "unavailable", "invalid", "key_reused", "too_long", "error")


class SubmitObserver:
    """ASGI middleware: counts the response to each POST to `path` in `answers`. Other requests are passed on."""

    def __init__(self, app: ASGIApp, path: str, pattern: str, answers: Counter[str]) -> None:
        self.app = app
        self._path = path
        self._pattern = pattern
        self._answers = answers
        self._tracing = tracing()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the response when it starts, and end the span when it is complete."""
        if scope["type"] != "http" or scope["method"] != "POST" or route_path(scope) != self._path:
            await self.app(scope, receive, send)
            return

        with ExitStack() as span:
            span.enter_context(self._tracing.submit(self._pattern, scope["headers"]))

            async def send_observed(message: Message) -> None:
                if message["type"] == "http.response.start":
                    self._answers[scope.get(ERROR_LABEL) or _BY_STATUS.get(message["status"], "error")] += 1
                    self._tracing.responded(message["status"])
                await send(message)
                if message["type"] == "http.response.body" and not message.get("more_body", False):
                    span.close()

            await self.app(scope, receive, send_observed)
