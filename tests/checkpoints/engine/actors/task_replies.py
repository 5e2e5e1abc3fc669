"""The replies of a scripted server to a polling client: the task, or 503."""

from typing import Any

from tests.checkpoints.engine.http.scripted_server import Reply

TASK_ID = "7f3a"


RESULT = "Vendor B is cheaper."


BUSY = Reply(503, {"detail": "The queue is full."})


BUSY_FOR_LONG = Reply(503, {"detail": "The queue is full."}, {"Retry-After": "60"})


CUT = Reply(0)


def task(status: str, retry_after: int | None = None, code: int = 200, **more: object) -> Reply:
    """A reply with the task."""
    body = {"task_id": TASK_ID, "status": status, "progress": 0, "result": None, "error": None, **more}
    return Reply(code, body, {} if retry_after is None else {"Retry-After": str(retry_after)})


ACCEPTED = task("pending", code=202)


RUNNING = task("running")


COMPLETED = task("completed", result=RESULT)


def in_words(reply: Reply) -> str:
    if reply.status == 0:
        return "connection closed without a response"
    after = "".join(f", {name}: {value}" for name, value in reply.headers.items())
    body: dict[str, Any] = reply.body if isinstance(reply.body, dict) else {}
    return f"{reply.status} {body.get('status') or body.get('detail')}{after}"
