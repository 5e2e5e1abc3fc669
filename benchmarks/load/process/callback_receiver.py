"""The client's end of a webhook, in the load process: verifies each callback, and drops repeats."""

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from gevent.event import AsyncResult
from gevent.pywsgi import WSGIServer

from benchmarks.load.process.http_client import Answer
from benchmarks.records.callbacks import CallbackVerdict
from patterns.receiver import Receiver, Refused

#: Delivery ids to remember: more than any run delivers.
_REMEMBER = 1_000_000
_MOST_BYTES = 1_000_000

OnCallback = Callable[[float, str, CallbackVerdict], None]


@dataclass(frozen=True)
class ReceivedCallback:
    """A callback that was taken, and when it came."""

    at: float
    answer: Answer


class CallbackReceiver:
    """Listens on a free port, of loopback unless told otherwise.

    Signatures are verified: a real client could not do without.
    """

    def __init__(self, secret: str, tell: OnCallback, host: str = "127.0.0.1") -> None:
        self._receiver = Receiver(secret, remember=_REMEMBER)
        self._tell = tell
        self._outcomes: dict[str, AsyncResult] = {}
        self._host = host
        self._server = WSGIServer((host, 0), self._application, log=None)
        self._server.start()

    @property
    def url(self) -> str:
        """What to give as `callback_url`."""
        return f"http://{self._host}:{self._server.server_port}/outcomes"

    def wait_for(self, task_id: str, seconds: float) -> ReceivedCallback | None:
        """The outcome of a task; it may have come before the answer to its submit did."""
        outcome: ReceivedCallback | None = self._outcome(task_id).wait(max(0.0, seconds))
        self._outcomes.pop(task_id, None)
        return outcome

    def _outcome(self, task_id: str) -> AsyncResult:
        return self._outcomes.setdefault(task_id, AsyncResult())

    def _application(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        at = time.time()
        headers = {
            name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")
        }
        body = environ["wsgi.input"].read(min(int(environ.get("CONTENT_LENGTH") or 0), _MOST_BYTES))
        verdict = self._take(at, headers, body)
        self._tell(at, headers.get("webhook-id", ""), verdict)
        start_response("400 Bad Request" if verdict is CallbackVerdict.REFUSED else "204 No Content", [])
        return []

    def _take(self, at: float, headers: dict[str, str], body: bytes) -> CallbackVerdict:
        try:
            callback = self._receiver.accept(headers, body)
        except Refused:
            return CallbackVerdict.REFUSED
        if callback is None:
            return CallbackVerdict.REPEATED
        self._outcome(callback.task_id).set(ReceivedCallback(at, Answer(200, json.loads(body), None)))
        return CallbackVerdict.TAKEN
