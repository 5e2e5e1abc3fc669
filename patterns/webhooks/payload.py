"""The body of a callback: the finished task."""

from patterns.contract import Callback
from patterns.tasks.record import Record

#: Standard Webhooks recommends payloads under 20 kB.
MAX_BYTES = 20_000


def payload(record: Record) -> bytes:
    """The body of the callback: the same bytes on every attempt, because a finished task never changes."""
    task = record.task().__dict__  # `Callback` ignores the delivery in it
    body = Callback(**task).model_dump_json().encode()
    if len(body) > MAX_BYTES:
        result_at = f"{record.root_path}/agent/status/{record.task_id}"
        body = Callback(**task | {"result": None}, result_at=result_at).model_dump_json().encode()
    return body
