"""503 until the app's lifespan has started. Starlette runs the lifespan of the outermost app only."""

from starlette.datastructures import State
from starlette.types import ASGIApp, Receive, Scope, Send

from patterns.web.problems import problem

_NOT_STARTED = (
    "The lifespan of this app has not started, so no task would run. If the app is mounted in another app, enter its "
    'lifespan in that of the other app: see "Mount a pattern in your app" in patterns/README.md.'
)


class StartedOnly:
    """ASGI middleware: rejects requests until `state.started` is true."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self.app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or reject it."""
        if scope["type"] == "http" and not self._state.started:
            await problem(503, "Not started", _NOT_STARTED, {"Retry-After": "1"})(scope, receive, send)
            return
        await self.app(scope, receive, send)
