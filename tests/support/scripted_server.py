"""A real HTTP server on loopback that answers as a test says, and records every request."""

import asyncio
import itertools
import json
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Never

import uvicorn
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.support.waiting import eventually


@dataclass(frozen=True)
class Seen:
    """One request, as it arrived."""

    route: str
    headers: Headers
    body: bytes
    at: float

    @property
    def json(self) -> Any:
        """What the body says."""
        return json.loads(self.body)


Answer = Response | Callable[[Seen], Awaitable[Response]]


class Script:
    """The answers to requests below one URL: a list for each route."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._answers: dict[str, list[Answer]] = {}
        self._seen: list[Seen] = []

    def on(self, route: str, *answers: Answer) -> "Script":
        """Give these answers to `route` (`"GET /agent/status/1"`), in turn; the last answer is repeated."""
        self._answers[route] = list(answers)
        return self

    def seen(self, route: str) -> list[Seen]:
        """The requests to a route so far."""
        return [request for request in list(self._seen) if request.route == route]

    def count(self, route: str) -> int:
        """How many requests a route has seen."""
        return len(self.seen(route))

    def times(self, route: str) -> list[float]:
        """When the requests to a route arrived, on the monotonic clock."""
        return [request.at for request in self.seen(route)]

    def until_seen(self, route: str, count: int = 1) -> list[Seen]:
        """The requests to a route, once there are that many."""
        return eventually(lambda: self.seen(route), lambda seen: len(seen) >= count)

    async def answer(self, request: Request, route: str) -> Response:
        """Record the request, and answer as the script says."""
        seen = Seen(route, request.headers, await request.body(), time.monotonic())
        self._seen.append(seen)
        left = self._answers.get(route)
        if not left:
            return PlainTextResponse(f"the script does not know {route}", 404)
        answer = left.pop(0) if len(left) > 1 else left[0]
        return answer if isinstance(answer, Response) else await answer(seen)


class Scripts:
    """The ASGI application: the first segment of a path selects the script."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._scripts: dict[str, Script] = {}
        self._numbers = itertools.count(1)

    def script(self) -> Script:
        """A new script with its own URL."""
        name = f"script-{next(self._numbers)}"
        self._scripts[name] = Script(f"{self._url}/{name}")
        return self._scripts[name]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        _, name, *rest = request.url.path.split("/")
        script = self._scripts[name]
        response = await script.answer(request, f"{request.method} /{'/'.join(rest)}")
        await response(scope, receive, send)


@contextmanager
def scripted_server(listener: socket.socket | None = None) -> Iterator[Scripts]:
    """Serve scripts for as long as the block lasts, on `listener` if one is given."""
    with listener or bound_socket() as bound:
        scripts = Scripts(f"http://127.0.0.1:{bound.getsockname()[1]}")
        with serving(scripts, bound):
            yield scripts


@contextmanager
def serving(app: ASGIApp, listener: socket.socket) -> Iterator[None]:
    """Run uvicorn in a thread. Requests that still hang at the end are dropped."""
    config = uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        log_config=None,
        log_level="critical",
        access_log=False,
        timeout_graceful_shutdown=0,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    listener.listen(512)
    thread.start()
    try:
        eventually(lambda: server.started, bool)
        yield
    finally:
        server.should_exit = True
        thread.join()


def bound_socket() -> socket.socket:
    """A reserved port without a listener: connections are refused, and no other process can take the port."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    return taken


async def hang(seen: Seen) -> Never:
    """Never answer."""
    await asyncio.Event().wait()
    raise AssertionError


async def lost(seen: Seen) -> Response:
    """Close the connection in the middle of the answer."""
    return Response(b"{", 202, {"content-length": "1000"})
