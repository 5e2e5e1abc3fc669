"""How a task's record lies in Redis: its keys, its fields, and what ends it. Both sides of the store keep to it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pydantic import TypeAdapter
from redis.exceptions import RedisError

from patterns.contract import (
    Delivery,
    DeliveryAttempt,
    DeliveryState,
    ErrorCode,
    Task,
    TaskError,
    TaskStatus,
    WebhookTask,
)
from patterns.contract.settings import Settings
from patterns.observability.lifecycle import finished
from patterns.redis_store.keys import Keys
from patterns.tasks.record import moment
from patterns.tasks.store import Unavailable

#: The attempts of a delivery, as the record keeps them.
ATTEMPTS = TypeAdapter(list[DeliveryAttempt])


def finishing(
    keys: Keys, settings: Settings, task_id: str, now: float, status: TaskStatus, fields: Mapping[str, str]
) -> tuple[list[str], list[Any]]:
    """The keys and the arguments of the script that ends a task."""
    pairs = [part for pair in fields.items() for part in pair]
    return (
        [keys.record(task_id), keys.unfinished, keys.running, keys.figures, keys.to_tell, keys.prompts],
        [task_id, repr(now), settings.task_ttl_seconds, keys.finished_channel, status, *pairs],
    )


def noted_end(task_id: str, code: str | None, said: Sequence[str | None]) -> str | None:
    """The status that a record has after the script that ends a task. Told, if that was its end."""
    status, *ran = said
    if status and ran:
        finished(task_id, status, code, float(ran[0]) if ran[0] else None)
    return status


def new_task(task_id: str, now: float, callback_url: str) -> Task:
    """The task of a record that has just been written."""
    task = Task(task_id=task_id, status=TaskStatus.PENDING, progress=0, created_at=moment(now))
    return WebhookTask(**task.__dict__, delivery=Delivery(state=DeliveryState.WAITING)) if callback_url else task


def task_of(task_id: str, fields: Mapping[str, str]) -> Task:
    """The record as its client sees it: with its delivery, if it is to be called back."""

    def when(name: str) -> Any:
        return moment(float(fields[name])) if name in fields else None

    error = None
    if "error_code" in fields:
        error = TaskError(code=ErrorCode(fields["error_code"]), message=fields["error_message"])
    task = Task(
        task_id=task_id,
        status=TaskStatus(fields["status"]),
        progress=int(fields["progress"]),
        result=fields.get("result"),
        error=error,
        created_at=when("created_at"),
        started_at=when("started_at"),
        finished_at=when("finished_at"),
    )
    if "callback_url" not in fields:
        return task
    delivery = Delivery(
        state=DeliveryState(fields["delivery"]),
        attempts=ATTEMPTS.validate_json(fields.get("attempts", "[]")),
        next_attempt_at=when("next_attempt_at"),
        last_error=fields.get("last_error"),
    )
    return WebhookTask(**task.__dict__, delivery=delivery)


@contextmanager
def reaching(what: str) -> Iterator[None]:
    """Say `Unavailable` when Redis does not answer."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise Unavailable(f"{what} cannot be reached now ({type(error).__name__}). Try again in a moment.") from error
