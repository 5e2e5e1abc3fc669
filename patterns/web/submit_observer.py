"""Look at submits as they come and go: count them by what they are answered, and trace them.

Whoever writes the answer: the route, an error handler, or a limit.
"""

from collections import Counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from patterns.observability.tracing import tracing

#: Where in the scope the handler of a store's error leaves its name: two of them are answered 503, two 422.
REFUSED = "longjobs.refused"

_BY_STATUS = {202: "accepted", 413: "too_long", 422: "invalid"}
#: Every answer that is told apart.
ANSWERS = ("accepted", "queue_full", "unavailable", "invalid", "key_reused", "too_long", "error")


class SubmitObserver:
    """ASGI middleware: adds each answer to a POST to `path` to `answers`. Other requests pass through untouched."""

    def __init__(self, app: ASGIApp, path: str, pattern: str, answers: Counter[str]) -> None:
        self.app = app
        self._path = path
        self._pattern = pattern
        self._answers = answers
        self._tracing = tracing()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look at the status as it leaves."""
        if scope["type"] != "http" or scope["path"] != self._path or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return

        async def send_observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._answers[scope.get(REFUSED) or _BY_STATUS.get(message["status"], "error")] += 1
                self._tracing.answered(message["status"])
            await send(message)

        with self._tracing.submit(self._pattern, scope["headers"]):
            await self.app(scope, receive, send_observed)
