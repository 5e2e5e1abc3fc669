"""The wire contract's rules for a single response: what a task, a problem and a Retry-After must look like."""

import json
import math
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import Any

from tests.checkpoints.engine.diagnosis.failures import Wrong
from tests.checkpoints.engine.http.http_client import Response

Json = dict[str, Any]

ORDER = {"pending": 0, "running": 1, "completed": 2, "failed": 2, "cancelled": 2}
FIELDS = ("task_id", "status", "progress", "result", "error", "created_at", "started_at", "finished_at")
TIMES = ("created_at", "started_at", "finished_at")


def task_in(answer: Response) -> Json:
    """The task in a response; an empty dictionary if there is none."""
    return answer.json if isinstance(answer.json, dict) else {}


def fields_in(answer: Response) -> Json:
    """The fields of the task in a response, without its id and without the state of its delivery, which still changes
    after the task is finished."""
    return {name: task_in(answer).get(name) for name in FIELDS if name != "task_id"}


def word_in(answer: Response) -> str:
    """The status in a response; empty if there is none, or if it is not in the contract."""
    word = task_in(answer).get("status")
    return word if isinstance(word, str) and word in ORDER else ""


def finished(answer: Response) -> bool:
    """Whether the task in a response is finished."""
    return ORDER.get(word_in(answer)) == 2


def shape(task: Json) -> str:
    """What is wrong with the fields of a task: a missing field, or a wrong type. Empty if nothing is."""
    if missing := [name for name in FIELDS if name not in task]:
        return f"without {', '.join(missing)}"
    if not isinstance(task["task_id"], str):
        return f"task_id is {json.dumps(task['task_id'])}, which is no string"
    if not isinstance(message := task.get("message"), str | None):  # servers may leave it out
        return f"message is {json.dumps(message)[:60]}, which is neither null nor a string"
    error = task["error"]
    if error is not None and not (isinstance(error, dict) and {"code", "message"} <= error.keys()):
        return f'error is {json.dumps(error)[:60]}, which is neither null nor {{"code", "message"}}'
    return ""


def percent(task: Json, seen: str, before: float) -> int:
    """The progress of a task: a whole percent that has not gone back. `seen` is the response in words."""
    found = task.get("progress")
    if found is None:
        raise Wrong("PROGRESS_MISSING", seen)
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found) or found % 1:
        raise Wrong("PROGRESS_NOT_WHOLE", seen)
    if not 0 <= found <= 100:
        raise Wrong("PROGRESS_OUT_OF_RANGE", seen)
    if found < before:
        raise Wrong("PROGRESS_WENT_BACK", f"{seen}, after {before}")
    return int(found)


def times(task: Json) -> str:
    """What is wrong with the three times of a task. Empty if nothing is."""
    reached = ORDER.get(str(task.get("status")), 0)
    due = {"created_at": True, "started_at": reached == 1 or task.get("status") == "completed"}
    for name in TIMES:
        text = task.get(name)
        if text is not None and not (isinstance(text, str) and moment(text)):
            return f"{name} is {json.dumps(text)}, which is not an ISO 8601 time in UTC"
        if text is None and due.get(name, reached == 2):
            return f"{name} is missing, but the task is {task.get('status')}"
        if text is not None and ((name == "finished_at" and reached < 2) or (name == "started_at" and reached < 1)):
            return f"{name} is set, but the task is {task.get('status')}"
    known = [(name, found) for name in TIMES if (found := moment(task.get(name)))]
    for (name, earlier), (other, later) in pairwise(known):
        if later < earlier:
            return f"{other} is before {name}"
    return ""


def problem(answer: Response) -> str:
    """What is wrong with a response that should be a problem (RFC 9457). Empty if nothing is."""
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/problem+json":
        return f"its content-type is {kind or 'missing'}"
    for name in ("title", "detail"):
        if not (isinstance(found := task_in(answer).get(name), str) and found.strip()):
            return f"its {name} is {json.dumps(found)}"
    return ""


def moment(text: object) -> datetime | None:
    """The time in an ISO 8601 string with the UTC offset; None for everything else."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.utcoffset() == timedelta(0) else None


def says_when(answer: Response) -> bool:
    """Whether a response has a valid Retry-After: whole seconds, or a date."""
    later = answer.headers.get("retry-after", "").strip()
    if later.isascii() and later.isdecimal():
        return True
    try:
        parsedate_to_datetime(later)
    except (TypeError, ValueError):
        return False
    return True
