"""Task records in Redis as a worker writes them: plain calls, from any thread. The web side is `redis_store`."""

import json
import time
from collections.abc import Mapping

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from patterns.contract import ErrorCode, TaskStatus
from patterns.contract.settings import Settings
from patterns.observability.lifecycle import started
from patterns.observability.tracing import Carrier
from patterns.redis_store import scripts
from patterns.redis_store.keys import Keys
from patterns.redis_store.outbox import Outbox
from patterns.redis_store.records import finishing, noted_end

#: How many of the oldest unfinished tasks are looked at, when some may have been lost.
_LOOKED_AT = 200


class WorkerRecords:
    """The records of all tasks. Patient, because a finished job must not be lost."""

    def __init__(self, settings: Settings, url: str) -> None:
        self._settings = settings
        self._keys = Keys(settings.key_prefix)
        client = redis.Redis.from_url(
            url,
            decode_responses=True,
            socket_timeout=5,
            socket_connect_timeout=5,
            retry=Retry(ExponentialBackoff(cap=2, base=0.1), 12),
        )
        self._redis = client
        #: The outcomes that are still to be delivered.
        self.outbox = Outbox(settings, client, self._keys)
        self._start = client.register_script(scripts.START)
        self._put_back = client.register_script(scripts.PUT_BACK)
        self._progress = client.register_script(scripts.PROGRESS)
        self._finish = client.register_script(scripts.FINISH)
        self._unmoved = client.register_script(scripts.UNMOVED)
        self._send_again = client.register_script(scripts.SEND_AGAIN)

    def start(self, task_id: str, most_runs: int) -> bool:
        """Mark the task as running. False when it must not run: cancelled, finished, or run too often."""
        keys = [self._keys.record(task_id), self._keys.running, self._keys.counters]
        run = self._start(keys, [repr(time.time()), most_runs, task_id])
        if run == -1:
            self.fail(task_id, ErrorCode.WORKER_LOST, f"Its worker died in each of {most_runs} runs.")
        elif run > 0:
            started(task_id)
        return int(run) > 0

    def put_back(self, task_id: str) -> None:
        """Do not count this run: the worker was asked to stop, and has not died."""
        self._put_back([self._keys.record(task_id)])

    def progress(self, task_id: str, percent: int) -> bool:
        """Note how far it is, and say whether the task is still wanted."""
        return bool(self._progress([self._keys.record(task_id)], [max(0, min(int(percent), 100))]))

    def is_running(self, task_id: str) -> bool:
        """Whether the task is still wanted: a running one that was cancelled is not. One cheap command."""
        return bool(self._redis.hget(self._keys.record(task_id), "status") == TaskStatus.RUNNING)

    def complete(self, task_id: str, result: str) -> None:
        """End the task with its result, unless it is finished already."""
        self._end(task_id, TaskStatus.COMPLETED, {"result": result, "progress": "100"})

    def fail(self, task_id: str, code: ErrorCode, message: str) -> None:
        """End the task with an error, unless it is finished already."""
        self._end(task_id, TaskStatus.FAILED, {"error_code": code, "error_message": message})

    def unmoved(self, seconds: float) -> tuple[list[str], list[str]]:
        """The oldest unfinished tasks with which nothing has begun for so long: first those that a newer task has
        overtaken, then the others."""
        arguments: list[str | int] = [repr(time.time() - seconds), self._keys.record(""), _LOOKED_AT]
        overtaken, others = self._unmoved([self._keys.unfinished, self._keys.counters], arguments)
        return overtaken, others

    def to_send_again(self, task_id: str, seconds: float) -> tuple[str, bool, Carrier] | None:
        """What the message of an unmoved task said: its prompt, whether it calls back, and its trace.

        None if it has moved meanwhile, or another worker sends it.
        """
        now = time.time()
        keys = [self._keys.record(task_id), self._keys.unfinished, self._keys.prompts]
        if (said := self._send_again(keys, [task_id, repr(now), repr(now - seconds)])) is None:
            return None
        prompt, callback_url, carrier = said
        return prompt, bool(callback_url), json.loads(carrier or "{}")

    def heartbeat(self, worker: str) -> None:
        """Note that this worker lives."""
        self._redis.zadd(self._keys.workers, {worker: time.time()})

    def farewell(self, worker: str) -> None:
        """Note that this worker has stopped."""
        self._redis.zrem(self._keys.workers, worker)

    def _end(self, task_id: str, status: TaskStatus, fields: Mapping[str, str]) -> None:
        keys, arguments = finishing(self._keys, self._settings, task_id, time.time(), status, fields)
        noted_end(task_id, fields.get("error_code"), self._finish(keys, arguments))
