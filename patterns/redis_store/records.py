"""What both sides of the store share: the script call that finishes a task, and errors of Redis as `Unavailable`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from redis.exceptions import RedisError

from patterns.contract import TaskStatus
from patterns.contract.settings import Settings
from patterns.observability.lifecycle import finished
from patterns.redis_store.fields import flatten
from patterns.redis_store.keys import Keys
from patterns.tasks.store import Unavailable


def finish_arguments(
    keys: Keys, settings: Settings, task_id: str, now: float, status: TaskStatus, fields: Mapping[str, str]
) -> tuple[list[str], list[Any]]:
    """The keys and the arguments of the script `FINISH`."""
    return (
        [
            *(keys.record(task_id), keys.unfinished, keys.running, keys.counters, keys.outbox, keys.prompts),
            keys.history(task_id),
        ],
        [task_id, repr(now), settings.task_ttl_seconds, keys.finished_channel, status, *flatten(fields)],
    )


def log_finish(task_id: str, code: str | None, reply: Sequence[str | None]) -> str | None:
    """Log the outcome if this call of `FINISH` has finished the task, and return the status of the task."""
    status, *seconds = reply
    if status and seconds:
        finished(task_id, status, code, float(seconds[0]) if seconds[0] else None)
    return status


@contextmanager
def unavailable_on_error() -> Iterator[None]:
    """Raise `Unavailable` if Redis cannot be reached, or refuses a command."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise Unavailable(f"Redis cannot be reached ({type(error).__name__}). Try again in a moment.") from error
