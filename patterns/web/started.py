"""503 until the lifespan of the app has begun. Starlette runs the lifespan of the outermost app, and no other."""

from starlette.datastructures import State
from starlette.types import ASGIApp, Receive, Scope, Send

from patterns.web.problems import problem

_NOT_STARTED = (
    "The lifespan of this app has not run, so no task would be worked on. If it is mounted in another app, run it in "
    'the lifespan of that app: see "Mount a pattern in your app" in patterns/README.md.'
)


class StartedOnly:
    """ASGI middleware: passes requests on once `state.started` is true."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self.app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it."""
        if scope["type"] == "http" and not self._state.started:
            await problem(503, "Not started", _NOT_STARTED, {"Retry-After": "1"})(scope, receive, send)
            return
        await self.app(scope, receive, send)
