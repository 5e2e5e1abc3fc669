"""One HTTP request with a deadline, by the standard library: importing a client would take half a second."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit


class NoAnswer(Exception):
    """Nobody answered. `late` says that the deadline passed; otherwise the connection was refused or cut."""

    def __init__(self, why: str, *, late: bool) -> None:
        super().__init__(why)
        self.late = late


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        """The body; None when it is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def text(self) -> str:
        """The beginning of the body, on one line."""
        return " ".join(self.body[:300].decode(errors="replace").split())


def ask(
    url: str,
    method: str,
    path: str,
    body: object = None,
    headers: Mapping[str, str] | None = None,
    *,
    within: float,
) -> Answer:
    """Send one request, on a connection of its own. `body` is sent as JSON, `bytes` as they are."""
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=within)
    sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    fields = {"connection": "close", **({"content-type": "application/json"} if sent is not None else {})}
    try:
        connection.request(method, parts.path.rstrip("/") + path, sent, {**fields, **(headers or {})})
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, names, response.read())
    except TimeoutError as error:
        raise NoAnswer(f"no answer within {within:g} s", late=True) from error
    except ConnectionRefusedError as error:
        raise NoAnswer("the connection was refused", late=False) from error
    except (OSError, HTTPException) as error:
        raise NoAnswer(f"the connection broke ({type(error).__name__})", late=False) from error
    finally:
        connection.close()
