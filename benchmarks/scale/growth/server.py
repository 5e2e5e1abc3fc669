"""A real server of one pattern whose records, waiting tasks and memory can be controlled and read."""

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
#: A million at most are forgotten within this time.
_EXPIRED_SECONDS = 60.0
#: So many task ids are remembered.
_MOST_IDS = 1000
#: A server forgets some expired records with each request.
_REQUESTS_TO_FORGET = 300
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
#: No agent is ever done, so that tasks wait.
NEVER_DONE: Mapping[str, str] = {"KIT_AGENT_BEHAVIOUR": "hang", "KIT_WORKERS": "1"}


class Server:
    """One pattern's processes, and some of the task ids that it has given out."""

    def __init__(self, served: Running, callback_url: str) -> None:
        self.port = int(served.url.rpartition(":")[2])
        self.ids: list[str] = []
        self._chance = random.Random(0)
        self.processes = ServerProcesses(served)
        self.redis = GrownRedis(served.redis_url, self._chance) if served.redis_url else None
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
        """Open a new connection: a server closes one that was idle for some seconds."""
        self._connection.close()
        self._connection = Connection(self.port)

    def submit(self) -> tuple[float, str]:
        """How long a submit took, and its task."""
        seconds, answer = self._timed(self._submit)
        if answer.status != 202:
            raise BadAnswer(f"a submit gave {answer.status}")
        return seconds, str(json.loads(answer.body)["task_id"])

    def status(self, task_id: str | None = None) -> float:
        """How long a status request took; without an id for one of the remembered tasks."""
        seconds, answer = self._timed(get(f"/agent/status/{task_id or self._chance.choice(self.ids)}"))
        if answer.status != 200:
            raise BadAnswer(f"the status of a known task gave {answer.status}")
        return seconds

    def touch(self) -> None:
        """Send a request that asks for nothing: work that the server has put off is done with it."""
        self._timed(get("/agent/status/none"))

    def forget_expired(self) -> None:
        """Wait until expired records are gone: a server forgets them as it gets requests, Redis by itself."""

        def are_gone() -> bool:
            for _ in range(_REQUESTS_TO_FORGET):
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
        """Submit over HTTP, as fast as a few connections can."""
        result = run_hammer(self.port, self._body, _CONNECTIONS, answers=tasks)
        if result.others:
            raise HammerFailed(f"{result.others} of {tasks} submits were not accepted.")
        self.ids = (self.ids + result.task_ids)[-_MOST_IDS:]
        self.reconnect()

    def finish(self) -> dict[str, Any]:
        """Wait until all that was submitted is done and delivered; gives one more task, which came last."""
        last = self.submit()[1]
        deadline = time.monotonic() + _SETTLE_SECONDS
        while not _is_over(task := self.task(last)) or (self.redis and self.redis.has_unfinished_tasks()):
            if time.monotonic() > deadline:
                raise HammerFailed(f"The tasks were not finished after {_SETTLE_SECONDS:g} s.")
            time.sleep(0.02)
        return task

    def fill(self, records: int, *, expire_at: float | None = None) -> None:
        """Write finished records without requests: by the store itself, or in Redis as copies of a real one."""
        task = self._template = self._template or self.finish()
        if self.redis is not None:
            self.ids = self.redis.copy(str(task["task_id"]), records, expire_at)
        else:
            fill = {"count": records, "result": task["result"], "callback_url": self._callback_url}
            connection = Connection(self.port, timeout=300)
            answer = connection.ask(post("/benchmark/fill", json.dumps(fill).encode()))
            connection.close()
            if answer.status != 200:
                raise BadAnswer(f"to be filled gave {answer.status}")
            self.ids = json.loads(answer.body)["task_ids"]
        self.reconnect()

    def in_use(self) -> dict[str, int]:
        """The bytes in use by role: exact for the web server and Redis, pages for the workers."""
        weighed = json.loads(self._timed(post("/benchmark/weigh", b""))[1].body)["in_use"]
        in_use = {WEB: weighed or self.processes.pages(WEB)}
        if WORKER in self.processes.roles:
            in_use[WORKER] = self.processes.pages(WORKER)
        if self.redis is not None:
            in_use[REDIS] = self.redis.bytes_in_use()
        return in_use

    def memory(self) -> dict[str, int]:
        """The memory of the web server, in pages, and of Redis."""
        memory = {WEB: self.processes.pages(WEB)}
        if self.redis is not None:
            memory[REDIS] = self.redis.bytes_in_use()
        return memory

    def close(self) -> None:
        """Close its connections."""
        self._connection.close()
        if self.redis is not None:
            self.redis.close()

    def _timed(self, request: bytes) -> tuple[float, Answer]:
        begin = time.perf_counter()
        answer = self._connection.ask(request)
        return time.perf_counter() - begin, answer


def _is_over(task: dict[str, Any]) -> bool:
    """Whether it is done and delivered, or its record has expired since: then its status is that of a 404."""
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
