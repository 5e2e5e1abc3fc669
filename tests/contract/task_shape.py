"""What a task looks like on the wire, checked key by key."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.support.serving import Json, Served

KEYS = {
    *("task_id", "status", "progress", "message", "result", "error"),
    *("created_at", "started_at", "finished_at"),
}
DELIVERY_KEYS = {"state", "attempts", "next_attempt_at", "last_error"}


def check_task(task: Json, served: Served) -> None:
    """Fail unless `task` has exactly the keys and the types of the contract."""
    assert set(task) == KEYS | ({"delivery"} if served.pattern.requires_callback else set())
    assert isinstance(task["task_id"], str)
    assert task["task_id"]
    assert task["status"] in {"pending", "running", "completed", "failed", "cancelled"}
    assert type(task["progress"]) is int
    assert 0 <= task["progress"] <= 100
    assert task["message"] is None or isinstance(task["message"], str)
    assert task["result"] is None or isinstance(task["result"], str)
    if task["error"] is not None:
        assert set(task["error"]) == {"code", "message"}
    if "delivery" in task:
        assert set(task["delivery"]) == DELIVERY_KEYS
        assert task["delivery"]["state"] in {"waiting", "delivered", "dead"}
    moments = [moment(task[name]) for name in ("created_at", "started_at", "finished_at") if task[name] is not None]
    assert moments == sorted(moments)


def moment(text: Any) -> datetime:
    """The time in an ISO 8601 string, which must be in UTC."""
    assert isinstance(text, str)
    parsed = datetime.fromisoformat(text)
    assert parsed.utcoffset() == timedelta(0), f"{text} is not in UTC"
    return parsed.astimezone(UTC)


def check_problem(answer: httpx.Response, status: int) -> Json:
    """Fail unless the answer is this status as RFC 9457 has it, and says what to do; return its body."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: Json = answer.json()
    assert set(problem) == {"title", "status", "detail"}
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert "Traceback" not in problem["detail"]
    return problem


def whole_seconds(answer: httpx.Response) -> int:
    """The `Retry-After` of an answer, which must be whole seconds."""
    value = answer.headers["retry-after"]
    assert value.isascii()
    assert value.isdigit(), f"Retry-After: {value}"
    return int(value)
