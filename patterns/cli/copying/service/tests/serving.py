"""Runs the service as real processes, for tests that use it over HTTP."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx

from patterns import CELERY_QUEUE as PATTERN
from patterns.cli.copying.service.tests.needs import needs
from patterns.cli.copying.service.tests.ports import free_port
from patterns.contract.descriptor import LearnsBy

T = TypeVar("T")

#: A test that waits this long fails: a working service takes far less.
PATIENCE_SECONDS = 30.0

_PROJECT = Path(__file__).parents[1]
_SETTINGS = {
    "KIT_AGENT": "simulated",
    "KIT_AGENT_OBEYS_PROMPT": "1",
    "KIT_POLL_INTERVAL_SECONDS": "2",
    "KIT_GRACE_SECONDS": "5",
    # Callbacks go to loopback, where most of them have no receiver.
    "KIT_WEBHOOK_ALLOW_PRIVATE": "1",
    "KIT_WEBHOOK_ATTEMPTS": "1",
}


@dataclass(frozen=True)
class Service:
    """A running service."""

    http: httpx.Client
    web: "subprocess.Popen[bytes]"
    workers: "Sequence[subprocess.Popen[bytes]]"

    @property
    def url(self) -> str:
        """The URL of the service."""
        return str(self.http.base_url)

    def submit(self, prompt: str, key: str | None = None, **fields: str) -> httpx.Response:
        """Submit a prompt, and return the response with any status."""
        headers = {"Idempotency-Key": key} if key else {}
        if PATTERN.learns_by is LearnsBy.CALLBACK:
            fields = {"callback_url": "http://127.0.0.1:9/nobody-listens-here", **fields}
        return self.http.post("/agent/submit", json={"prompt": prompt, **fields}, headers=headers)

    def accepted(self, prompt: str, **fields: str) -> str:
        """Submit a prompt that must be accepted, and return its task id."""
        response = self.submit(prompt, **fields)
        assert response.status_code == 202, response.text
        return str(response.json()["task_id"])

    def task(self, task_id: str) -> dict[str, Any]:
        """A task that must exist."""
        response = self.http.get(f"/agent/status/{task_id}")
        assert response.status_code == 200, response.text
        task: dict[str, Any] = response.json()
        return task

    def until(self, task_id: str, status: str) -> dict[str, Any]:
        """Wait until the task has this status, and return it."""
        return eventually(lambda: self.task(task_id), lambda task: task["status"] == status)

    def cancel(self, task_id: str) -> httpx.Response:
        """Cancel a task, and return the response with any status."""
        return self.http.post(f"/agent/cancel/{task_id}")


@contextmanager
def serving(folder: Path, **settings: str) -> Iterator[Service]:
    """Run the service with these settings for as long as the block lasts. Its log and its data go to `folder`."""
    package = PATTERN.module.rpartition(".")[0]
    port = free_port()
    with ExitStack() as stack:
        env = {**_inherited(), **_SETTINGS, **settings, **stack.enter_context(needs(folder))}
        start = _Starter(stack, folder / "service.log")
        web = start(["-m", f"{package}.web.process", PATTERN.app, "--port", str(port)], env)
        workers = [
            start(
                [argument.replace("{unique}", process.name) for argument in process.arguments], {**env, **process.env}
            )
            for process in PATTERN.processes
        ]
        http = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False))
        eventually(lambda: _health(http), lambda status: status == 200, start.log)
        yield Service(http, web, workers)


def eventually(get: Callable[[], T], condition: Callable[[T], bool], details: Callable[[], str] = str) -> T:
    """Call `get` until its value meets the condition, and return the value. Fails after PATIENCE_SECONDS."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition(value := get()):
        assert time.monotonic() < deadline, f"after {PATIENCE_SECONDS:g} s it is still {value!r}\n{details()}"
        time.sleep(0.05)
    return value


class _Starter:
    """Starts Python processes, each of which is stopped at the end of the block."""

    def __init__(self, stack: ExitStack, log: Path) -> None:
        self._stack = stack
        self._log = log

    def __call__(self, arguments: Sequence[str], env: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        with self._log.open("ab") as log:
            process = subprocess.Popen([sys.executable, *arguments], cwd=_PROJECT, env=env, stdout=log, stderr=log)
        self._stack.callback(_stop, process)
        return process

    def log(self) -> str:
        """The output of the processes."""
        return self._log.read_text(errors="replace")


def _inherited() -> dict[str, str]:
    """The environment of this process without settings of the service: the tests set them."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("KIT_", "OTEL_", "REDIS_URL"))}


def _health(http: httpx.Client) -> int | None:
    try:
        return http.get("/health").status_code
    except httpx.TransportError:
        return None


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
