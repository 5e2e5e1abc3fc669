"""How a task ends in Redis, and what both sides of the store say when Redis does not answer."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from redis.exceptions import RedisError

from patterns.contract import TaskStatus
from patterns.contract.settings import Settings
from patterns.observability.lifecycle import finished
from patterns.redis_store.fields import flat
from patterns.redis_store.keys import Keys
from patterns.tasks.store import Unavailable


def finishing(
    keys: Keys, settings: Settings, task_id: str, now: float, status: TaskStatus, fields: Mapping[str, str]
) -> tuple[list[str], list[Any]]:
    """The keys and the arguments of the script that ends a task."""
    return (
        [keys.record(task_id), keys.unfinished, keys.running, keys.counters, keys.outbox, keys.prompts],
        [task_id, repr(now), settings.task_ttl_seconds, keys.finished_channel, status, *flat(fields)],
    )


def noted_end(task_id: str, code: str | None, said: Sequence[str | None]) -> str | None:
    """The status that a record has after the script that ends a task. The end is logged, if that was it."""
    status, *ran = said
    if status and ran:
        finished(task_id, status, code, float(ran[0]) if ran[0] else None)
    return status


@contextmanager
def reaching(what: str) -> Iterator[None]:
    """Say `Unavailable` when Redis does not answer."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise Unavailable(f"{what} cannot be reached now ({type(error).__name__}). Try again in a moment.") from error
