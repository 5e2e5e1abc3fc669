"""A `Record` as a Redis hash: one field for each attribute that is set."""

import json
from collections.abc import Iterable, Mapping

from pydantic import TypeAdapter

from patterns.contract import DeliveryAttempt, DeliveryState, ErrorCode, TaskStatus
from patterns.observability.tracing import NO_CARRIER
from patterns.tasks.record import Record

_ATTEMPTS = TypeAdapter(tuple[DeliveryAttempt, ...])


def new_fields(record: Record) -> dict[str, str]:
    """The fields of a new task."""
    fields = {"status": record.status.value, "progress": str(record.progress), "created_at": repr(record.created_at)}
    if record.carrier:
        fields["carrier"] = json.dumps(dict(record.carrier))
    if record.callback_url is not None:
        fields |= {"callback_url": record.callback_url, "delivery": record.delivery.value}
    if record.root_path:
        fields["root_path"] = record.root_path
    return fields


def delivery_fields(record: Record) -> dict[str, str]:
    """The fields that a delivery attempt changes. The caller deletes the optional ones that are missing here."""
    fields = {
        "delivery": record.delivery.value,
        "attempts": _ATTEMPTS.dump_json(record.attempts).decode(),
        "attempts_made": str(record.attempts_made),
    }
    if record.next_attempt_at is not None:
        fields["next_attempt_at"] = repr(record.next_attempt_at)
    if record.last_error is not None:
        fields["last_error"] = record.last_error
    return fields


def from_fields(task_id: str, fields: Mapping[str, str]) -> Record:
    """The record of the task `task_id`."""

    def seconds(name: str) -> float | None:
        return float(fields[name]) if name in fields else None

    return Record(
        task_id,
        float(fields["created_at"]),
        status=TaskStatus(fields["status"]),
        progress=int(fields["progress"]),
        message=fields.get("message"),
        result=fields.get("result"),
        error=(ErrorCode(fields["error_code"]), fields["error_message"]) if "error_code" in fields else None,
        started_at=seconds("started_at"),
        finished_at=seconds("finished_at"),
        carrier=json.loads(fields["carrier"]) if "carrier" in fields else NO_CARRIER,
        callback_url=fields.get("callback_url"),
        root_path=fields.get("root_path", ""),
        delivery=DeliveryState(fields.get("delivery", DeliveryState.WAITING)),
        attempts=_ATTEMPTS.validate_json(fields["attempts"]) if "attempts" in fields else (),
        attempts_made=int(fields.get("attempts_made", 0)),
        next_attempt_at=seconds("next_attempt_at"),
        last_error=fields.get("last_error"),
        version=int(fields.get("version", 0)),
    )


def history_from(changes: Iterable[str]) -> list[tuple[int, str | None]]:
    """The history of a record. A change is the progress and, after a space, the message if there is one."""
    parts = (change.partition(" ") for change in changes)
    return [(int(progress), message or None) for progress, _, message in parts]


def flatten(fields: Mapping[str, str]) -> Iterable[str]:
    """Fields and values alternately, as the arguments of HSET."""
    return (part for pair in fields.items() for part in pair)
