"""One HTTP request with a deadline. Uses the standard library: importing a client would take half a second."""

import json
import select
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

_PIECE_BYTES = 65_536
_FIELDS = {"connection": "close", "content-type": "application/json"}


class NoResponse(Exception):
    """There was no response. `late`: the deadline passed; otherwise the connection was refused or broken."""

    def __init__(self, why: str, *, late: bool) -> None:
        super().__init__(why)
        self.late = late


@dataclass(frozen=True)
class Response:
    """An HTTP response."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        """The parsed body; None if it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def text(self) -> str:
        """The beginning of the body, on one line."""
        return " ".join(self.body[:300].decode(errors="replace").split())


def summarize(answer: Response) -> str:
    """A response in a few words: `202 pending`, `404 Not Found`."""
    body = answer.json
    if isinstance(body, dict):
        for name in ("status", "detail", "title"):
            if isinstance(body.get(name), str):
                return f"{answer.status} {body[name]}"
    return f"{answer.status} {answer.text}".strip()


def send_request(
    url: str,
    method: str,
    path: str,
    body: object = None,
    headers: Mapping[str, str] | None = None,
    *,
    within: float,
) -> Response:
    """Send one request on a new connection. `body` is sent as JSON, `bytes` as they are. Raises `NoResponse`."""
    sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    fields = {"connection": "close", **({"content-type": "application/json"} if sent is not None else {})}
    with _connection(url, within) as (connection, parent):
        connection.request(method, parent + path, sent, {**fields, **(headers or {})})
        return _read(connection)


def post_during(
    url: str, path: str, body: object, meanwhile: Callable[[], None], *, within: float
) -> tuple[Response, bool]:
    """POST a body as JSON, and call `meanwhile`. Returns the response, and whether it came before `meanwhile` ended."""
    with _connection(url, within) as (connection, parent):
        connection.request("POST", parent + path, json.dumps(body), _FIELDS)
        with suppress(NoResponse):
            meanwhile()
        come = bool(select.select([connection.sock], [], [], 0)[0])
        return _read(connection), come


def post_concurrently(
    url: str,
    path: str,
    body: bytes,
    headers: Mapping[str, str],
    times: int,
    still: AbstractContextManager[None],
    *,
    within: float,
) -> list[Response]:
    """POST the same body several times, each on its own connection. `still` suspends the server while they are sent."""
    with ExitStack() as stack:
        connections = [stack.enter_context(_connection(url, within)) for _ in range(times)]
        for connection, parent in connections:  # after this request the server has accepted every connection
            connection.request("GET", f"{parent}/")
            _read(connection)
        with still:
            for connection, parent in connections:
                connection.request("POST", parent + path, body, {**_FIELDS, **headers})
        return [_read(connection) for connection, _ in connections]


def why_unreachable(url: str, within: float = 5.0) -> str:
    """Why no server responds at a URL, and what to do, in one line; empty if one does, whatever the response."""
    try:
        send_request(url, "GET", "/health", within=within)
    except NoResponse as error:
        if error.late:
            return f"{url} accepts connections, but GET /health got no response within {within:g} s."
        if isinstance(error.__cause__, HTTPException):
            return f"The server at {url} does not speak HTTP. Is it the right port?"
        return f"No server responds at {url}: {error}. Start your server, and check its address."
    return ""


def post_long_body(url: str, path: str, body: object, within: float) -> Response:
    """POST a body that is too long. The server may respond, and close the connection, while it is still being sent."""
    sent = json.dumps(body).encode()
    with _connection(url, within) as (connection, parent):
        connection.putrequest("POST", parent + path)
        for name, value in _FIELDS.items():
            connection.putheader(name, value)
        connection.putheader("content-length", str(len(sent)))
        connection.endheaders()
        try:
            seconds = 0.3  # the server knows the length by now
            for start in range(0, len(sent), _PIECE_BYTES):
                if select.select([connection.sock], [], [], seconds)[0]:
                    break
                connection.send(sent[start : start + _PIECE_BYTES])
                seconds = 0
        except (BrokenPipeError, ConnectionResetError):
            pass  # the response may have arrived before
        return _read(connection)


def _read(connection: HTTPConnection) -> Response:
    """The response to the request that was sent on a connection."""
    response = connection.getresponse()
    names = {name.lower(): value for name, value in response.getheaders()}
    return Response(response.status, names, response.read())


@contextmanager
def _connection(url: str, within: float) -> Iterator[tuple[HTTPConnection, str]]:
    """A connection to the host of a URL, and the URL's path. Raises `NoResponse` for errors on the connection."""
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=within)
    try:
        yield connection, parts.path.rstrip("/")
    except TimeoutError as error:
        raise NoResponse(f"no response within {within:g} s", late=True) from error
    except ConnectionRefusedError as error:
        raise NoResponse("connection refused", late=False) from error
    except (OSError, HTTPException) as error:
        raise NoResponse(f"connection broken ({type(error).__name__})", late=False) from error
    finally:
        connection.close()
