"""A real server of one pattern, with control over its records and tasks and access to its memory."""

import json
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.scale.growth.grown_redis import GrownRedis
from benchmarks.scale.growth.measured_app import PATTERN_VARIABLE
from benchmarks.scale.growth.processes import REDIS, WEB, WORKER, ServerProcesses
from benchmarks.scale.hammer import HammerFailed, run_hammer
from benchmarks.scale.http_connection import Answer, BadAnswer, Connection, get, post
from patterns import PATTERNS
from patterns.contract.descriptor import LearnsBy
from patterns.serving.running import Running, running
from patterns.serving.waiting import until

_PROMPT = "Compare the three vendors in this contract."
_CONNECTIONS = 16
_SETTLE_SECONDS = 120.0
#: Enough to delete a million expired records.
_EXPIRED_SECONDS = 60.0
#: The most task ids to remember.
_MOST_IDS = 1000
#: A server deletes some expired records with each request.
_REQUESTS_TO_EXPIRE = 300
ENV: Mapping[str, str] = {
    "REDIS_URL": "",  # each server has a private Redis
    "KIT_BROKER_URL": "",
    "KIT_AGENT": "simulated",
    "KIT_AGENT_BEHAVIOUR": "work",
    "KIT_AGENT_STEPS": "1",
    "KIT_AGENT_STEP_SECONDS": "0",
    "KIT_WORKERS": "2",
    "KIT_QUEUE_SIZE": "1000000",
    "KIT_TASK_TTL_SECONDS": "86400",
    "KIT_TASK_TIMEOUT_SECONDS": "3600",
    "KIT_MAX_WAIT_SECONDS": "3600",
    "KIT_GRACE_SECONDS": "0",
    "KIT_WEBHOOK_ALLOW_PRIVATE": "1",
}
#: Agents never finish, so that tasks wait.
NEVER_DONE: Mapping[str, str] = {"KIT_AGENT_BEHAVIOUR": "hang", "KIT_WORKERS": "1"}


class Server:
    """The processes of one pattern, and some of its task ids."""

    def __init__(self, served: Running, callback_url: str) -> None:
        self.port = int(served.url.rpartition(":")[2])
        self.ids: list[str] = []
        self._rng = random.Random(0)
        self.processes = ServerProcesses(served)
        self.redis = GrownRedis(served.redis_url, self._rng) if served.redis_url else None
        self._callback_url = callback_url if served.pattern.learns_by is LearnsBy.CALLBACK else ""
        self._body = json.dumps(
            {"prompt": _PROMPT, **({"callback_url": self._callback_url} if self._callback_url else {})}
        )
        self._submit = post("/agent/submit", self._body.encode())
        self._connection = Connection(self.port)
        self._template: dict[str, Any] | None = None

    @property
    def keeper(self) -> str:
        """The role that keeps the records."""
        return REDIS if self.redis is not None else WEB

    @property
    def calls_back(self) -> bool:
        """Whether it delivers outcomes by callbacks."""
        return bool(self._callback_url)

    def reconnect(self) -> None:
        """Open a new connection, because a server closes idle ones after some seconds."""
        self._connection.close()
        self._connection = Connection(self.port)

    def submit(self) -> tuple[float, str]:
        """Submit a task. Returns the seconds that it took, and the task id."""
        seconds, answer = self._timed(self._submit)
        if answer.status != 202:
            raise BadAnswer(f"submit returned {answer.status}")
        return seconds, str(json.loads(answer.body)["task_id"])

    def status(self, task_id: str | None = None) -> float:
        """The seconds of a status request; without an id, for one of the remembered tasks."""
        seconds, answer = self._timed(get(f"/agent/status/{task_id or self._rng.choice(self.ids)}"))
        if answer.status != 200:
            raise BadAnswer(f"the status of an existing task returned {answer.status}")
        return seconds

    def touch(self) -> None:
        """Send a request without effect, with which the server does deferred work."""
        self._timed(get("/agent/status/none"))

    def delete_expired(self) -> None:
        """Wait until expired records are deleted: a server does it as it gets requests, Redis by itself."""

        def are_gone() -> bool:
            for _ in range(_REQUESTS_TO_EXPIRE):
                self.touch()
            return self.redis is None or not self.redis.has_records()

        self.reconnect()
        until(are_gone, _EXPIRED_SECONDS, pause=0.1)

    def cancel(self, task_id: str) -> None:
        """Cancel a task."""
        self._timed(post(f"/agent/cancel/{task_id}", b""))

    def task(self, task_id: str) -> dict[str, Any]:
        """A task as its client sees it."""
        return dict(json.loads(self._timed(get(f"/agent/status/{task_id}"))[1].body))

    def send(self, tasks: int) -> None:
        """Submit tasks over HTTP, as fast as a few connections can."""
        result = run_hammer(self.port, self._body, _CONNECTIONS, answers=tasks)
        if result.others:
            raise HammerFailed(f"{result.others} of {tasks} submits were not accepted.")
        self.ids = (self.ids + result.task_ids)[-_MOST_IDS:]
        self.reconnect()

    def finish(self) -> dict[str, Any]:
        """Submit a last task, and wait until all are finished and delivered. Returns the last task."""
        last = self.submit()[1]
        deadline = time.monotonic() + _SETTLE_SECONDS
        while not _is_over(task := self.task(last)) or (self.redis and self.redis.has_unfinished_tasks()):
            if time.monotonic() > deadline:
                raise HammerFailed(f"The tasks did not finish within {_SETTLE_SECONDS:g} s.")
            time.sleep(0.02)
        return task

    def fill(self, records: int, *, expire_at: float | None = None) -> None:
        """Write finished records without requests: through the store, or in Redis as copies of a real record."""
        task = self._template = self._template or self.finish()
        if self.redis is not None:
            self.ids = self.redis.copy(str(task["task_id"]), records, expire_at)
        else:
            fill = {"count": records, "result": task["result"], "callback_url": self._callback_url}
            connection = Connection(self.port, timeout=300)
            answer = connection.ask(post("/benchmark/fill", json.dumps(fill).encode()))
            connection.close()
            if answer.status != 200:
                raise BadAnswer(f"/benchmark/fill returned {answer.status}")
            self.ids = json.loads(answer.body)["task_ids"]
        self.reconnect()

    def in_use(self) -> dict[str, int]:
        """The bytes in use by role: exact for the web server and Redis, resident memory for the workers."""
        exact = json.loads(self._timed(post("/benchmark/memory", b""))[1].body)["in_use"]
        in_use = {WEB: exact or self.processes.pages(WEB)}
        if WORKER in self.processes.roles:
            in_use[WORKER] = self.processes.pages(WORKER)
        if self.redis is not None:
            in_use[REDIS] = self.redis.bytes_in_use()
        return in_use

    def memory(self) -> dict[str, int]:
        """The resident memory of the web server, and the bytes in use by Redis."""
        memory = {WEB: self.processes.pages(WEB)}
        if self.redis is not None:
            memory[REDIS] = self.redis.bytes_in_use()
        return memory

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()
        if self.redis is not None:
            self.redis.close()

    def _timed(self, request: bytes) -> tuple[float, Answer]:
        begin = time.perf_counter()
        answer = self._connection.ask(request)
        return time.perf_counter() - begin, answer


def _is_over(task: dict[str, Any]) -> bool:
    """Whether a task is completed and delivered, or its record has expired: then `status` is that of a 404 problem."""
    delivery = task.get("delivery", {"state": "delivered"})["state"]
    return bool(task["status"] == 404 or (task["status"] == "completed" and delivery == "delivered"))


@contextmanager
def server(pattern: str, env: Mapping[str, str], log: Path, callback_url: str) -> Iterator[Server]:
    """A newly started server. Raises `ProcessFailed`, `CannotServe`, `SettingsError`."""
    served_as = replace(PATTERNS[pattern], app="benchmarks.scale.growth.measured_app:create_app")
    with running(served_as, env={**ENV, PATTERN_VARIABLE: pattern, **env}, log=log) as served:
        started = Server(served, callback_url)
        try:
            yield started
        finally:
            with suppress(OSError):
                started.close()
