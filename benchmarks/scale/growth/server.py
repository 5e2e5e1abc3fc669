"""A real server of one pattern that can be filled, asked and weighed."""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import redis

from benchmarks.scale.growth.measured_app import PATTERN_VARIABLE
from benchmarks.scale.hammer import HammerFailed, run_hammer
from benchmarks.scale.http_connection import Answer, BadAnswer, Connection, get, post
from patterns import PATTERNS
from patterns.contract.descriptor import LearnsBy
from patterns.serving.running import Running, running

_PROMPT = "Compare the three vendors in this contract."
_CONNECTIONS = 16
_SETTLE_SECONDS = 120.0
#: A million at most are copied or forgotten within this time.
_EXPIRED_SECONDS = 60.0
_BATCH = 1000
_ASKED_TO_FORGET = 300
#: The role that each process plays.
WEB, WORKER, REDIS = "web server", "worker", "Redis server"
#: KEYS: a true record, and the new ones. ARGV: when they expire, in milliseconds since the epoch. Written as
#: a task writes them, the long result after all the rest: how much a hash takes depends on how it grew.
_COPY = """
local before, result = {}, {}
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  local part = fields[i] == 'result' and result or before
  part[#part + 1] = fields[i]
  part[#part + 1] = fields[i + 1]
end
for i = 2, #KEYS do
  redis.call('HSET', KEYS[i], unpack(before))
  redis.call('HSET', KEYS[i], unpack(result))
  redis.call('PEXPIREAT', KEYS[i], ARGV[1])
end
"""
ENV: Mapping[str, str] = {
    "REDIS_URL": "",  # each server has a Redis of its own
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
    """One pattern's processes, and some of the ids it has given out."""

    def __init__(self, served: Running, callback_url: str) -> None:
        self.port = int(served.url.rpartition(":")[2])
        self.ids: list[str] = []
        self._chance = random.Random(0)
        self._served = served
        told = {"prompt": _PROMPT}
        if served.pattern.learns_by is LearnsBy.CALLBACK:
            told["callback_url"] = callback_url
        self._callback_url = told.get("callback_url", "")
        self._body = json.dumps(told)
        self._submit = post("/agent/submit", self._body.encode())
        self._connection = Connection(self.port)
        self._template: dict[str, Any] | None = None
        self.redis = redis.Redis.from_url(served.redis_url) if served.redis_url else None

    @property
    def keeper(self) -> str:
        """The role that keeps the records."""
        return REDIS if self.redis is not None else WEB

    @property
    def calls_back(self) -> bool:
        """Whether it tells outcomes by callbacks."""
        return bool(self._callback_url)

    def reconnect(self) -> None:
        """Open a connection anew: a server closes one that was idle for some seconds."""
        self._connection.close()
        self._connection = Connection(self.port)

    def submit(self) -> tuple[float, str]:
        """How long a submit took, and its task."""
        seconds, answer = self._timed(self._submit)
        if answer.status != 202:
            raise BadAnswer(f"a submit gave {answer.status}")
        return seconds, str(json.loads(answer.body)["task_id"])

    def status(self, task_id: str | None = None) -> float:
        """How long a status request took; without an id for one of those that are known."""
        seconds, answer = self._timed(get(f"/agent/status/{task_id or self._chance.choice(self.ids)}"))
        if answer.status != 200:
            raise BadAnswer(f"the status of a known task gave {answer.status}")
        return seconds

    def health(self) -> None:
        """Ask for nothing much: what was put off is done now."""
        self._timed(get("/agent/status/none"))

    def forgotten(self) -> None:
        """Wait until expired records are: a server forgets them when it is asked something, Redis by itself."""
        deadline = time.monotonic() + _EXPIRED_SECONDS
        self.reconnect()
        while True:
            for _ in range(_ASKED_TO_FORGET):
                self.health()
            if self.redis is None or not any(self.redis.scan_iter(match="*task:*")) or time.monotonic() > deadline:
                return
            time.sleep(0.1)

    def cancel(self, task_id: str) -> None:
        """End a task."""
        self._timed(post(f"/agent/cancel/{task_id}", b""))

    def task(self, task_id: str) -> dict[str, Any]:
        """A task as its client sees it."""
        return dict(json.loads(self._timed(get(f"/agent/status/{task_id}"))[1].body))

    def send(self, tasks: int) -> None:
        """Submit over HTTP, as fast as a few connections can."""
        found = run_hammer(self.port, self._body, _CONNECTIONS, answers=tasks)
        if found.others:
            raise HammerFailed(f"{found.others} of {tasks} submits were not accepted.")
        self.ids = (self.ids + found.task_ids)[-_BATCH:]
        self.reconnect()

    def finish(self) -> dict[str, Any]:
        """Wait until all that was submitted is done, and told; gives one more task, which came last."""
        last = self.submit()[1]
        deadline = time.monotonic() + _SETTLE_SECONDS
        while not _is_over(task := self.task(last)) or self._unfinished():
            if time.monotonic() > deadline:
                raise HammerFailed(f"The tasks were not finished after {_SETTLE_SECONDS:g} s.")
            time.sleep(0.02)
        return task

    def fill(self, records: int, *, expire_at: float | None = None) -> None:
        """Write finished records without requests: by the store itself, or in Redis as copies of a true one."""
        task = self._template = self._template or self.finish()
        if self.redis is None:
            told = {"count": records, "result": task["result"], "callback_url": self._callback_url}
            connection = Connection(self.port, timeout=300)
            answer = connection.ask(post("/benchmark/fill", json.dumps(told).encode()))
            connection.close()
            if answer.status != 200:
                raise BadAnswer(f"to be filled gave {answer.status}")
            self.ids = json.loads(answer.body)["task_ids"]
        else:
            self._copy(str(task["task_id"]), records, expire_at)
        self.reconnect()

    def in_use(self) -> dict[str, int]:
        """The bytes in use by role: exact of the web server and of Redis, pages of the workers."""
        found = {WEB: json.loads(self._timed(post("/benchmark/weigh", b""))[1].body)["in_use"] or self._pages(WEB)}
        if self._served.workers:
            found[WORKER] = self._pages(WORKER)
        if self.redis is not None:
            found[REDIS] = self._redis_bytes()
        return found

    def pages(self) -> dict[str, int]:
        """The memory of each role as the system counts it."""
        found = {WEB: self._pages(WEB)}
        if self.redis is not None:
            found[REDIS] = self._redis_bytes()
        return found

    def handles(self) -> dict[str, int]:
        """Open files and sockets by role."""
        return self._counted(lambda process: int(process.num_fds()))

    def threads(self) -> dict[str, int]:
        """Threads by role."""
        return self._counted(lambda process: int(process.num_threads()))

    def close(self) -> None:
        """Let go of its connections."""
        self._connection.close()
        if self.redis is not None:
            self.redis.close()

    def kept(self) -> int:
        """How many keys Redis has."""
        assert self.redis is not None  # noqa: S101 a mistake in this program
        return int(self.redis.dbsize())

    def _timed(self, request: bytes) -> tuple[float, Answer]:
        begin = time.perf_counter()
        answer = self._connection.ask(request)
        return time.perf_counter() - begin, answer

    def _copy(self, task_id: str, records: int, expire_at: float | None) -> None:
        assert self.redis is not None  # noqa: S101 a mistake in this program
        key = next(self.redis.scan_iter(match=f"*task:{task_id}", count=10_000)).decode()
        script = self.redis.register_script(_COPY)
        expires = int(1000 * expire_at) if expire_at is not None else self.redis.pexpiretime(key)
        made: list[str] = []
        while records > 0:
            made = [f"{self._chance.getrandbits(128):032x}" for _ in range(min(records, _BATCH))]
            keys = [key, *(key.replace(task_id, one) for one in made)]
            script(keys=keys, args=[expires])
            records -= len(made)
        self.ids = made
        deadline = time.monotonic() + _SETTLE_SECONDS
        while self.redis.info("persistence")["aof_rewrite_in_progress"] and time.monotonic() < deadline:
            time.sleep(0.1)

    def _redis_bytes(self) -> int:
        assert self.redis is not None  # noqa: S101 a mistake in this program
        found = self.redis.memory_stats()
        # Without the buffers of its clients and of its journal, which come and go.
        buffers = ("clients.normal", "clients.slaves", "aof.buffer", "replication.backlog")
        return int(found["total.allocated"]) - sum(int(found.get(name, 0)) for name in buffers)

    def _unfinished(self) -> bool:
        if self.redis is None:
            return False
        return any(self.redis.zcard(key) for key in self.redis.keys("*unfinished"))

    def _processes(self, role: str) -> list[psutil.Process]:
        children = {WEB: self._served.web, WORKER: self._served.workers}.get(role, [self._served.redis])
        found = [psutil.Process(child.pid) for child in children if child]
        return [*found, *(one for process in found for one in process.children(recursive=True))]

    def _pages(self, role: str) -> int:
        return sum(int(process.memory_info().rss) for process in self._processes(role))

    def _counted(self, count: Callable[[psutil.Process], int]) -> dict[str, int]:
        roles = [WEB, *([WORKER] if self._served.workers else []), *([REDIS] if self.redis is not None else [])]
        return {role: sum(map(count, self._processes(role))) for role in roles}


def _is_over(task: dict[str, Any]) -> bool:
    """Whether it is done and told, or so long done that its record has expired: then its status is that of a 404."""
    told = task.get("delivery", {"state": "delivered"})["state"]
    return bool(task["status"] == 404 or (task["status"] == "completed" and told == "delivered"))


@contextmanager
def server(pattern: str, env: Mapping[str, str], log: Path, callback_url: str) -> Iterator[Server]:
    """A fresh one. Raises `ProcessFailed`, `CannotServe`, `SettingsError`."""
    served_as = replace(PATTERNS[pattern], app="benchmarks.scale.growth.measured_app:create_app")
    with running(served_as, env={**ENV, PATTERN_VARIABLE: pattern, **env}, log=log) as served:
        found = Server(served, callback_url)
        try:
            yield found
        finally:
            with suppress(OSError):
                found.close()
