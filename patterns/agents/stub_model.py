"""A stub of an OpenAI-compatible endpoint, to try an agent without a network and to test how it handles failures.

    python -m patterns.agents.stub_model --port 8001

It calls the first tool that a request offers, and then answers. A marker in the prompt, or in the name of the model
with a hyphen (`stub-hang`), changes that:

- `stub:hang`: no answer, until the client gives up;
- `stub:slow=30`: the answer after 30 more seconds;
- `stub:429`: 429 with `Retry-After`; `stub:429=2`: only for the first two requests with this prompt;
- `stub:500`, `stub:500=2`: the same with an internal error;
- `stub:cut`: half an answer, then the connection is closed.

`GET /stub/calls` lists the calls so far: `open`, `answered`, or `cut` if the connection closed before the answer ended.
"""

import json
import math
import os
import re
import socket
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Annotated, Literal

import anyio
import typer
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from patterns.agents import stub_answers as answers

_MARKER = re.compile(r"\bstub[:-](hang|slow|429|500|cut)\b(?:=(\d+(?:\.\d+)?))?")


@dataclass
class Call:
    """One request for a completion."""

    number: int
    model: str
    prompt: str
    stream: bool
    behaviour: str
    status: int = 200
    state: Literal["open", "answered", "cut"] = "open"


class StubModel:
    """The endpoint. All delays are in seconds.

    `delay` is the time before an answer, `chunk_delay` the time between the events of a stream, and `retry_after` the
    value of `Retry-After` in a 429.
    """

    def __init__(self, *, delay: float = 0.0, chunk_delay: float = 0.0, retry_after: int = 1) -> None:
        self.calls: list[Call] = []
        self.delay, self.chunk_delay, self.retry_after = delay, chunk_delay, retry_after
        self.app = Starlette(
            routes=[
                Route("/v1/chat/completions", self._complete, methods=["POST"]),
                Route("/v1/models", self._models),
                Route("/stub/calls", self._list_calls),
            ]
        )

    async def _models(self, _: Request) -> Response:
        return JSONResponse(answers.models())

    async def _list_calls(self, _: Request) -> Response:
        return JSONResponse([asdict(call) for call in self.calls])

    async def _complete(self, request: Request) -> ASGIApp:
        try:
            body = await request.json()
            model, prompt = str(body["model"]), answers.prompt_of(body)
        except (ValueError, LookupError, TypeError, AttributeError):
            wrong = "The body must be JSON with a model and messages."
            return JSONResponse(answers.error(wrong, "invalid_request_error"), 400)
        behaviour, amount = self._behaviour(model, prompt)
        call = Call(len(self.calls) + 1, model, prompt, bool(body.get("stream")), behaviour)
        self.calls.append(call)
        return self._answer(call, body, self.delay + (amount if behaviour == "slow" else 0.0))

    def _behaviour(self, model: str, prompt: str) -> tuple[str, float]:
        """The behaviour that the marker asks for, and its number, or 0."""
        marker = _MARKER.search(f"{model} {prompt}")
        if marker is None:
            return "answer", 0.0
        behaviour, amount = marker[1], float(marker[2] or 0)
        before = [call for call in self.calls if (call.model, call.prompt) == (model, prompt)]
        if behaviour in {"429", "500"} and 0 < amount <= sum(call.behaviour == behaviour for call in before):
            return "answer", 0.0
        return behaviour, amount

    def _answer(self, call: Call, request: answers.Json, delay: float) -> ASGIApp:
        headers = {"content-type": "application/json"}
        if call.behaviour in {"429", "500"}:
            call.status = int(call.behaviour)
            kind = "rate_limit_error" if call.status == 429 else "server_error"
            body = answers.error(f"The stub model was asked for a {call.status}.", kind)
            if call.status == 429:
                headers["retry-after"] = str(self.retry_after)
        elif call.stream:
            headers = {"content-type": "text/event-stream"}
            return _Answer(call, headers, list(answers.events(request, call.number)), delay, self.chunk_delay)
        else:
            body = answers.completion(request, call.number)
        data = json.dumps(body).encode()
        middle = len(data) // 2  # in two pieces, so that `cut` can leave out the second
        headers["content-length"] = str(len(data))
        return _Answer(call, headers, [data[:middle], data[middle:]], delay)


class _Answer:
    """An ASGI app that sends an answer in pieces, records how the call ended, and stops when the client disconnects."""

    def __init__(
        self, call: Call, headers: dict[str, str], pieces: list[bytes], delay: float, pause: float = 0.0
    ) -> None:
        self._call, self._pieces, self._delay, self._pause = call, pieces, delay, pause
        self._start = {
            "type": "http.response.start",
            "status": call.status,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._watch_client, receive, group.cancel_scope)
                await self._send(send)
                group.cancel_scope.cancel()
        finally:
            if self._call.state == "open":
                self._call.state = "cut"

    @staticmethod
    async def _watch_client(receive: Receive, scope: anyio.CancelScope) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        scope.cancel()

    async def _send(self, send: Send) -> None:
        await anyio.sleep(math.inf if self._call.behaviour == "hang" else self._delay)
        await send(self._start)
        is_cut = self._call.behaviour == "cut"
        for piece in self._pieces[: len(self._pieces) // 2] if is_cut else self._pieces[:-1]:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            await anyio.sleep(self._pause)
        if not is_cut:  # otherwise uvicorn closes the connection of an incomplete response
            self._call.state = "answered"  # before the end is sent: a client may then list the calls at once
            await send({"type": "http.response.body", "body": self._pieces[-1]})


def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")] = 8001,
    delay: Annotated[float, typer.Option(min=0, help="Seconds before an answer.")] = 1.0,
    chunk_delay: Annotated[float, typer.Option(min=0, help="Seconds between the events of a stream.")] = 0.05,
    retry_after: Annotated[int, typer.Option(min=1, help="The Retry-After of a 429, in seconds.")] = 1,
) -> None:
    """Serve a stub model on this machine; Ctrl-C stops it. Exits 2 when the port is in use."""
    try:
        listener = socket.create_server(("127.0.0.1", port), backlog=512)
    except OSError as error:
        typer.echo(
            f"Cannot listen on 127.0.0.1:{port}: {os.strerror(error.errno or 0)}. Choose another with --port.", err=True
        )
        raise typer.Exit(2) from None
    with listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        typer.echo(f"A stub model answers at {url}/v1 (calls: {url}/stub/calls). Ctrl-C stops it.")
        stub = StubModel(delay=delay, chunk_delay=chunk_delay, retry_after=retry_after)
        config = uvicorn.Config(stub.app, lifespan="off", log_level="critical", timeout_graceful_shutdown=0)
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])
        typer.echo("\rStopped." if sys.stdout.isatty() else "Stopped.")  # over the ^C that a terminal shows


if __name__ == "__main__":
    typer.run(serve)
