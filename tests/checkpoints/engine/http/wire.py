"""The wire contract, as judgements on single answers: what a task, a problem and a Retry-After must look like."""

import json
import math
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import Any

from tests.checkpoints.engine.diagnosis.failures import Wrong
from tests.checkpoints.engine.http.http_client import Answer

Json = dict[str, Any]

ORDER = {"pending": 0, "running": 1, "completed": 2, "failed": 2, "cancelled": 2}
FIELDS = ("task_id", "status", "progress", "result", "error", "created_at", "started_at", "finished_at")
TIMES = ("created_at", "started_at", "finished_at")


def task_in(answer: Answer) -> Json:
    """The task in an answer; nothing when there is none."""
    return answer.json if isinstance(answer.json, dict) else {}


def told_of(answer: Answer) -> Json:
    """What an answer tells of a task, field by field: without its name, and without how far a callback is with its
    delivery, which is told beside it and goes on when the task is finished."""
    return {name: task_in(answer).get(name) for name in FIELDS if name != "task_id"}


def word_in(answer: Answer) -> str:
    """The status in an answer; empty when there is none that clients know."""
    word = task_in(answer).get("status")
    return word if isinstance(word, str) and word in ORDER else ""


def finished(answer: Answer) -> bool:
    """Whether it tells an outcome."""
    return ORDER.get(word_in(answer)) == 2


def shape(task: Json) -> str:
    """What is amiss with the fields of a task: one that is missing, or of another type. Empty when nothing is."""
    if missing := [name for name in FIELDS if name not in task]:
        return f"without {', '.join(missing)}"
    if not isinstance(task["task_id"], str):
        return f"task_id is {json.dumps(task['task_id'])}, which is no string"
    error = task["error"]
    if error is not None and not (isinstance(error, dict) and {"code", "message"} <= error.keys()):
        return f'error is {json.dumps(error)[:60]}, which is neither null nor {{"code", "message"}}'
    return ""


def percent(task: Json, seen: str, before: float) -> int:
    """The progress of a task: a whole percent that has not gone back. `seen` tells where it was found."""
    found = task.get("progress")
    if found is None:
        raise Wrong("PROGRESS_MISSING", seen)
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found) or found % 1:
        raise Wrong("PROGRESS_NOT_WHOLE", seen)
    if not 0 <= found <= 100:
        raise Wrong("PROGRESS_OUT_OF_RANGE", seen)
    if found < before:
        raise Wrong("PROGRESS_WENT_BACK", f"{seen}, after it had been {before}")
    return int(found)


def times(task: Json) -> str:
    """What is amiss with the three times of a task. Empty when nothing is."""
    reached = ORDER.get(str(task.get("status")), 0)
    due = {"created_at": True, "started_at": reached == 1 or task.get("status") == "completed"}
    for name in TIMES:
        text = task.get(name)
        if text is not None and not (isinstance(text, str) and moment(text)):
            return f"{name} is {json.dumps(text)}, which is no ISO 8601 time in UTC"
        if text is None and due.get(name, reached == 2):
            return f"{name} is not there, and the task is {task.get('status')}"
        if text is not None and ((name == "finished_at" and reached < 2) or (name == "started_at" and reached < 1)):
            return f"{name} is there, and the task is {task.get('status')}"
    known = [(name, found) for name in TIMES if (found := moment(task.get(name)))]
    for (name, earlier), (other, later) in pairwise(known):
        if later < earlier:
            return f"{other} is before {name}"
    return ""


def problem(answer: Answer) -> str:
    """What is amiss with an answer that should be a problem (RFC 9457). Empty when nothing is."""
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/problem+json":
        return f"its content-type is {kind or 'missing'}"
    for name in ("title", "detail"):
        if not (isinstance(found := task_in(answer).get(name), str) and found.strip()):
            return f"its {name} is {json.dumps(found)}"
    return ""


def moment(text: object) -> datetime | None:
    """The time in an ISO 8601 text that says that it is in UTC; None for everything else."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.utcoffset() == timedelta(0) else None


def says_when(answer: Answer) -> bool:
    """Whether it has a Retry-After that a client can read: whole seconds, or a date."""
    later = answer.headers.get("retry-after", "").strip()
    if later.isascii() and later.isdecimal():
        return True
    try:
        parsedate_to_datetime(later)
    except (TypeError, ValueError):
        return False
    return True
