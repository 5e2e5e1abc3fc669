"""The FastAPI app of a pattern, without its routes: error handlers, limits, and the lifespan."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from patterns.contract.descriptor import Pattern
from patterns.contract.settings import Settings
from patterns.observability.tracing import tracing
from patterns.web import openapi, problems
from patterns.web.body_limit import BodyLimit
from patterns.web.headers import retry_after_seconds
from patterns.web.started import StartedOnly
from patterns.web.submit_observer import SubmitObserver

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def new_app(pattern: Pattern, settings: Settings, lifespan: Lifespan) -> FastAPI:
    """An app that returns every error as a problem. The caller adds the submit route, then the shared routes."""
    app = FastAPI(
        title=pattern.title,
        summary=f"The {pattern.name} pattern: a long job behind a short request.",
        description=openapi.description(pattern),
        version="1",
        lifespan=_wrap_lifespan(lifespan),
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        responses=problems.documented(*problems.CONNECTION_ERRORS),
    )
    app.add_middleware(BodyLimit, path=openapi.SUBMIT, max_bytes=settings.max_body_bytes)
    app.state.submits = Counter()
    app.add_middleware(SubmitObserver, path=openapi.SUBMIT, pattern=pattern.name, answers=app.state.submits)
    app.state.started = False
    app.add_middleware(StartedOnly, state=app.state)
    problems.install(app, retry_after_seconds(max(1.0, settings.poll_interval_seconds)))
    app.openapi = lambda: openapi.document(app)  # type: ignore[method-assign]  # the way FastAPI documents to extend it
    return app


def _wrap_lifespan(lifespan: Lifespan) -> Lifespan:
    """The app's own lifespan. It also marks the app as started, and sends the last traces at the end.

    A hook at interpreter exit would not run: uvicorn ends its process with the signal that stopped it.
    """

    @asynccontextmanager
    async def wrapped(app: FastAPI) -> AsyncIterator[None]:
        async with lifespan(app):
            app.state.started = True
            yield
        tracing().flush()

    return wrapped
