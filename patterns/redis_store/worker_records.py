"""The worker's side of the task records in Redis, with blocking calls, for any thread. The web side is `store`."""

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
from patterns.redis_store.records import finish_arguments, log_finish

#: How many of the oldest unfinished tasks `stalled` examines.
_STALLED_LIMIT = 200


class WorkerRecords:
    """The task records, for a worker. It retries for long, because the outcome of a task must not be lost."""

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
        self._undo_start = client.register_script(scripts.UNDO_START)
        self._progress = client.register_script(scripts.PROGRESS)
        self._finish = client.register_script(scripts.FINISH)
        self._stalled = client.register_script(scripts.STALLED)
        self._claim_stalled = client.register_script(scripts.CLAIM_STALLED)

    def start(self, task_id: str, max_runs: int) -> bool:
        """Mark the task as running. False if it must not run: it is finished, or has run `max_runs` times."""
        keys = [self._keys.record(task_id), self._keys.running, self._keys.counters, self._keys.history(task_id)]
        run = self._start(keys, [repr(time.time()), max_runs, task_id, self._keys.changed_channel])
        if run == -1:
            self.fail(task_id, ErrorCode.WORKER_LOST, f"Its worker died in each of {max_runs} runs.")
        elif run > 0:
            started(task_id)
        return int(run) > 0

    def undo_start(self, task_id: str) -> None:
        """Do not count this run: the worker is stopping, and the task will run again."""
        self._undo_start([self._keys.record(task_id)])

    def progress(self, task_id: str, percent: int, message: str | None = None) -> bool:
        """Store the progress of a task, in percent, and its message, if any. False if the task is not running."""
        keys = [self._keys.record(task_id), self._keys.history(task_id)]
        arguments: list[str | int] = [task_id, self._keys.changed_channel, max(0, min(int(percent), 100))]
        return bool(self._progress(keys, arguments if message is None else [*arguments, message]))

    def is_running(self, task_id: str) -> bool:
        """Whether the task is running: it may have been cancelled. A single `HGET`."""
        return bool(self._redis.hget(self._keys.record(task_id), "status") == TaskStatus.RUNNING)

    def complete(self, task_id: str, result: str) -> None:
        """Complete the task, unless it is already finished."""
        self._end(task_id, TaskStatus.COMPLETED, {"result": result, "progress": "100"})

    def fail(self, task_id: str, code: ErrorCode, message: str) -> None:
        """Fail the task, unless it is already finished."""
        self._end(task_id, TaskStatus.FAILED, {"error_code": code, "error_message": message})

    def stalled(self, seconds: float) -> tuple[list[str], list[str]]:
        """The ids of the oldest tasks that were neither sent nor started within the last `seconds`.

        First those that a newer task has overtaken, then the others.
        """
        arguments: list[str | int] = [repr(time.time() - seconds), self._keys.record(""), _STALLED_LIMIT]
        overtaken, others = self._stalled([self._keys.unfinished, self._keys.counters], arguments)
        return overtaken, others

    def claim_stalled(self, task_id: str, seconds: float) -> tuple[str, bool, Carrier] | None:
        """The content of the message of a stalled task: its prompt, whether it has a callback URL, its trace context.

        None if the task is no longer stalled, or another worker has claimed it.
        """
        now = time.time()
        keys = [self._keys.record(task_id), self._keys.unfinished, self._keys.prompts]
        if (reply := self._claim_stalled(keys, [task_id, repr(now), repr(now - seconds)])) is None:
            return None
        prompt, callback_url, carrier = reply
        return prompt, bool(callback_url), json.loads(carrier or "{}")

    def heartbeat(self, worker: str) -> None:
        """Store a heartbeat of this worker."""
        self._redis.zadd(self._keys.workers, {worker: time.time()})

    def remove_worker(self, worker: str) -> None:
        """Forget the heartbeat of this worker, which has stopped."""
        self._redis.zrem(self._keys.workers, worker)

    def _end(self, task_id: str, status: TaskStatus, fields: Mapping[str, str]) -> None:
        keys, arguments = finish_arguments(self._keys, self._settings, task_id, time.time(), status, fields)
        log_finish(task_id, fields.get("error_code"), self._finish(keys, arguments))
