"""Patterns as real processes, and how a test talks to them: over HTTP only."""

import itertools
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from patterns.contract import FINISHED
from patterns.contract.descriptor import Pattern
from patterns.contract.settings import Settings, environment_variable, new_webhook_secret
from patterns.serving.processes import Family
from patterns.serving.rabbitmq_server import RabbitMQ
from patterns.serving.redis_server import RedisServer, start_redis
from patterns.serving.running import Running, running
from tests.support.openapi import OpenAPI
from tests.support.waiting import PATIENCE_SECONDS, eventually

Json = dict[str, Any]

#: The tests choose every setting: what a developer has set must not change the result. Empty means unset.
_NOTHING_SET = {environment_variable(field): "" for field in Settings.model_fields}

#: A quick agent that fails, hangs or blocks when the prompt says so.
QUICK_AGENT = {"KIT_AGENT_STEPS": "5", "KIT_AGENT_STEP_SECONDS": "0.02", "KIT_AGENT_OBEYS_PROMPT": "1"}
#: An agent that is still running whenever a test looks, and notices at each short step that it is cancelled.
ENDLESS_AGENT = {"KIT_AGENT_STEPS": "1200", "KIT_AGENT_STEP_SECONDS": "0.05", "KIT_AGENT_OBEYS_PROMPT": "1"}


class Served:
    """A pattern that is up, as its client sees it. Each answer is compared with what openapi.json says."""

    def __init__(self, running: Running, callback_url: str) -> None:
        self.running = running
        self.pattern = running.pattern
        self.url = running.url
        self.openapi = OpenAPI(self.url)
        self.submitted: list[str] = []
        self.callback_url = callback_url
        self._own = threading.local()
        self._clients: list[httpx.Client] = []

    @property
    def http(self) -> httpx.Client:
        """The calling thread's client. Threads that share one close each other's connections (httpcore#1110)."""
        if not hasattr(self._own, "http"):
            self._own.http = self.connect()
            self._clients.append(self._own.http)
        client: httpx.Client = self._own.http
        return client

    def close(self) -> None:
        """Close the connections of all threads."""
        for client in self._clients:
            client.close()

    def check_alive(self) -> None:
        """Fail, with the name of the process, if one of its processes has ended: clients would wait in vain."""
        for child in self.running.children:
            assert child.exit_code is None, f"{self.pattern.name}: the {child.name} {child.how_it_ended}"

    def connect(self) -> httpx.Client:
        """A client with its own connections."""
        return httpx.Client(
            base_url=self.url,
            timeout=PATIENCE_SECONDS,
            trust_env=False,
            verify=False,  # noqa: S501 plain HTTP on this machine: reading the certificates would take 30 ms each time
            limits=httpx.Limits(max_connections=200, max_keepalive_connections=20),
            event_hooks={"response": [self.openapi.check]},
        )

    def body(self, prompt: object = "compare the vendors", **more: object) -> Json:
        """A submit body that this pattern takes."""
        callback = {"callback_url": self.callback_url} if self.pattern.requires_callback else {}
        return {"prompt": prompt, **callback, **more}

    def submit(
        self, prompt: str = "compare the vendors", key: str | None = None, *, callback_url: str | None = None
    ) -> httpx.Response:
        """Submit a prompt, and return the answer, whatever it is."""
        headers = {"Idempotency-Key": key} if key is not None else {}
        body = self.body(prompt) if callback_url is None else self.body(prompt, callback_url=callback_url)
        answer = self.http.post("/agent/submit", json=body, headers=headers)
        if answer.status_code == 202:
            self.submitted.append(answer.json()["task_id"])
        return answer

    def accept(
        self, prompt: str = "compare the vendors", key: str | None = None, *, callback_url: str | None = None
    ) -> str:
        """Submit a prompt that must be accepted, and return its task id."""
        answer = self.submit(prompt, key=key, callback_url=callback_url)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["task_id"])

    def status(self, task_id: str, **headers: str) -> httpx.Response:
        """Request the status of a task; `prefer="wait=5"` sets the `Prefer` header."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.get(f"/agent/status/{task_id}", headers=named)

    def held(self, threads: ThreadPoolExecutor, task_id: str) -> "Future[httpx.Response]":
        """Send a long-poll, and return its future answer once the server has read the request."""
        sent = threading.Event()

        def note(event: str, _: object) -> None:
            if event == "http11.send_request_body.complete":
                sent.set()

        def poll() -> httpx.Response:
            self.health()  # opens this thread's connection: requests over an open connection are read in order
            return self.http.get(f"/agent/status/{task_id}", headers={"Prefer": "wait=25"}, extensions={"trace": note})

        answer = threads.submit(poll)
        assert sent.wait(PATIENCE_SECONDS), "the request was not sent"
        assert self.health() == 200  # so what was sent before is read
        return answer

    def task(self, task_id: str) -> Json:
        """The task, which the server must know."""
        return _json(self.status(task_id))

    def until(self, task_id: str, status: str, within: float = PATIENCE_SECONDS) -> Json:
        """The task, once it has this status."""
        return eventually(lambda: self.task(task_id), lambda task: task["status"] == status, within)

    def outcome(self, task_id: str, within: float = PATIENCE_SECONDS) -> Json:
        """The task, once it is finished."""
        return eventually(
            lambda: _json(self.status(task_id, prefer="wait=2")), lambda task: task["status"] in FINISHED, within
        )

    def delivery(self, task_id: str) -> Json:
        """The delivery of a task's outcome so far."""
        delivery: Json = self.task(task_id)["delivery"]
        return delivery

    def until_delivery(self, task_id: str, state: str = "delivered") -> Json:
        """The delivery of a task's outcome, once it is in this state."""
        return eventually(lambda: self.delivery(task_id), lambda delivery: delivery["state"] == state)

    def dead_letters(self) -> list[str]:
        """The ids of the tasks whose outcome could not be delivered, oldest first."""
        answer = self.http.get("/agent/dead-letters", params={"limit": 1000})
        assert answer.status_code == 200, answer.text
        return [task["task_id"] for task in answer.json()]

    def cancel(self, task_id: str) -> httpx.Response:
        """Cancel a task, and return the answer, whatever it is."""
        return self.http.post(f"/agent/cancel/{task_id}")

    @contextmanager
    def workers_held(self) -> Iterator[None]:
        """Freeze the workers for the duration of the block, so that no task finishes before all are submitted."""
        for worker in self.running.workers:
            worker.kill(signal.SIGSTOP)
        try:
            yield
        finally:
            for worker in self.running.workers:
                worker.kill(signal.SIGCONT)

    def cancel_all(self) -> None:
        """Cancel every task that was submitted here and is not finished."""
        while self.submitted:
            self.cancel(self.submitted.pop())

    def health(self) -> int | None:
        """The status code of `/health`, or None without an answer."""
        try:
            return self.http.get("/health").status_code
        except httpx.TransportError:
            return None

    def until_healthy(self) -> None:
        """Return once `/health` answers 200."""
        eventually(self.health, lambda status: status == 200)


def _json(answer: httpx.Response) -> Json:
    assert answer.status_code == 200, f"{answer.request.url} → {answer.status_code} {answer.text}"
    task: Json = answer.json()
    return task


class Servers:
    """Starts servers side by side, and stops all of them when the block ends."""

    def __init__(self, folder: Path, callback_url: str, rabbitmq: RabbitMQ | None = None) -> None:
        self.rabbitmq = rabbitmq
        self.folder = folder
        self._callback_url = callback_url
        self._started: list[ExitStack] = []
        self._needed: list[Family] = []
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with ThreadPoolExecutor(max(1, len(self._started))) as threads:
            list(threads.map(ExitStack.close, self._started))
        for family in self._needed:
            family.stop()

    def serve(self, pattern: Pattern, env: Mapping[str, str], *, web_processes: int = 1) -> Served:
        """Start a pattern, and return once it is healthy. Thread-safe."""
        stack = ExitStack()
        self._started.append(stack)
        webhook = {"KIT_WEBHOOK_ALLOW_PRIVATE": "1", "KIT_WEBHOOK_SECRET": new_webhook_secret()}
        settings = {**_NOTHING_SET, **webhook, **env}
        log = self.folder / f"{next(self._numbers)}-{pattern.name}.log"
        up = stack.enter_context(running(pattern, env=settings, web_processes=web_processes, log=log))
        served = Served(up, self._callback_url)
        stack.callback(served.close)
        return served

    def redis(self) -> RedisServer:
        """Start another private Redis, which is stopped after everything that may need it."""
        self._needed.append(Family())
        return start_redis(self._needed[-1])

    def fleet(self, patterns: Iterable[Pattern], env: Mapping[str, str]) -> dict[str, Served]:
        """Start several patterns side by side, all with the same settings, and return them by name."""
        return self.side_by_side({pattern.name: (pattern, env) for pattern in patterns})

    def side_by_side(self, chosen: Mapping[str, tuple[Pattern, Mapping[str, str]]]) -> dict[str, Served]:
        """Start several patterns side by side, each with its own settings, and return them by these names."""
        with ThreadPoolExecutor(len(chosen)) as threads:
            return dict(zip(chosen, threads.map(lambda one: self.serve(*one), chosen.values()), strict=True))
