"""The webhook receiver of the load process: verifies each callback and drops repeats.

It runs on gevent, because Locust monkey-patches sockets and threads in this process.
"""

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

#: Remembered webhook ids: more than any run delivers.
_REMEMBER = 1_000_000
_MOST_BYTES = 1_000_000

#: Called for each callback with its time (seconds since the epoch), webhook-id and verdict.
OnCallback = Callable[[float, str, CallbackVerdict], None]


@dataclass(frozen=True)
class ReceivedCallback:
    """An accepted callback and when it arrived."""

    at: float
    answer: Answer


class GeventReceiver:
    """Listens on a free port, by default on loopback, and verifies signatures."""

    def __init__(self, secret: str, on_callback: OnCallback, host: str = "127.0.0.1") -> None:
        self._receiver = Receiver(secret, remember=_REMEMBER)
        self._on_callback = on_callback
        self._callbacks: dict[str, AsyncResult] = {}
        self._host = host
        self._server = WSGIServer((host, 0), self._application, log=None)
        self._server.start()

    @property
    def url(self) -> str:
        """The `callback_url` to submit."""
        return f"http://{self._host}:{self._server.server_port}/outcomes"

    def wait_for(self, task_id: str, seconds: float) -> ReceivedCallback | None:
        """Wait for the callback of a task, which may arrive even before the response to its submit."""
        callback: ReceivedCallback | None = self._callback(task_id).wait(max(0.0, seconds))
        self._callbacks.pop(task_id, None)
        return callback

    def _callback(self, task_id: str) -> AsyncResult:
        return self._callbacks.setdefault(task_id, AsyncResult())

    def _application(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        at = time.time()
        headers = {
            name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")
        }
        body = environ["wsgi.input"].read(min(int(environ.get("CONTENT_LENGTH") or 0), _MOST_BYTES))
        verdict = self._accept(at, headers, body)
        self._on_callback(at, headers.get("webhook-id", ""), verdict)
        start_response("400 Bad Request" if verdict is CallbackVerdict.REFUSED else "204 No Content", [])
        return []

    def _accept(self, at: float, headers: dict[str, str], body: bytes) -> CallbackVerdict:
        try:
            callback = self._receiver.accept(headers, body)
        except Refused:
            return CallbackVerdict.REFUSED
        if callback is None:
            return CallbackVerdict.REPEATED
        self._callback(callback.task_id).set(ReceivedCallback(at, Answer(200, json.loads(body), None)))
        return CallbackVerdict.ACCEPTED
