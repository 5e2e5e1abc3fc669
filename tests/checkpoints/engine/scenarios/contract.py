"""Helpers for the checks of the wire contract."""

from collections.abc import Iterator

from tests.checkpoints.engine.actors.app import App
from tests.checkpoints.engine.actors.external import (
    agent_failed,
    never_running,
    silent_server,
)
from tests.checkpoints.engine.actors.observed_task import Exchange, ObservedTask
from tests.checkpoints.engine.actors.observer import Observer
from tests.checkpoints.engine.actors.unique import unique_hex
from tests.checkpoints.engine.diagnosis.failures import Inconclusive, NotReached, Wrong
from tests.checkpoints.engine.http import wire
from tests.checkpoints.engine.http.http_client import NoResponse, summarize
from tests.checkpoints.engine.http.wire import task_in

#: A response that took longer than this is shown with its time.
_LONG_SECONDS = 0.5


def note(app: App, exchange: Exchange, more: str = "") -> None:
    """Add an exchange to the timeline, at the time of its request."""
    late = f", {took:.1f} s later" if (took := exchange.at - exchange.sent) >= _LONG_SECONDS else ""
    app.timeline.note(f"{exchange.what} → {summarize(exchange.answer)}{more}{late}", exchange.sent)


def submitted(app: App, observer: Observer, body: object, what: str, headers: dict[str, str] | None = None) -> Exchange:
    """Submit a body. Diagnoses a missing response and a 5xx."""
    app.timeline.note(f"POST /agent/submit ({what})")
    try:
        exchange = observer.submit(body, headers)
    except NoResponse as error:
        app.timeline.amend(f" → {error}")
        raise silent_server(app.url, app.time_limit, "", error) from None
    app.timeline.amend(f" → {summarize(exchange.answer)}")
    app.refuse_5xx(exchange.answer)
    return exchange


def each_poll(task: ObservedTask) -> Iterator[tuple[str, Exchange]]:
    """Every response with the task, and its text for the timeline. Another check covers all other responses."""
    for exchange in task.known:
        yield f"{exchange.what} → {summarize(exchange.answer)}", exchange


def shown(exchange: Exchange, field: str) -> str:
    """A field of the task in a response, for the timeline."""
    return repr(task_in(exchange.answer).get(field, "missing"))[:30]


def must_have_cancel(observer: Observer) -> None:
    """Raise `NotReached` if the server has no cancel, which another check covers."""
    observer.c.over.wait()
    if not any(exchange.answer.status in {200, 409} for exchange in observer.c.cancels):
        raise NotReached("no task could be cancelled")


def ends_well(task: ObservedTask) -> None:
    """Check that a task is completed, and was seen running before."""
    words = [exchange.word for exchange in task.known]
    if not words:
        raise Wrong("RECORD_TOO_LATE", f"GET {task.path} → 404, every time")
    end, body = words[-1], task_in(task.known[-1].answer)
    if end == "pending":
        raise Wrong("PENDING_FOREVER")
    if end == "running":
        if len({task_in(exchange.answer).get("progress") for exchange in task.known[len(words) // 2 :]}) > 1:
            raise Inconclusive(
                "The server's agent is still running. Use an agent that takes a few seconds, and check again."
            )
        raise Wrong("STUCK_RUNNING", *_STUCK)
    if end != "completed":
        raise agent_failed(body)
    if "running" not in words and len(words) > 1:
        raise never_running(body, task.polls[-1].at - task.polls[0].at)


_STUCK = (
    "",
    "nothing writes the outcome, or this agent takes longer than the check waits.",
    "use an agent that takes a few seconds, then check whether the code after the agent's return is reached.",
)


def submit_and_poll(app: App, observer: Observer) -> Exchange | None:
    """Submit a task, poll it at once, and cancel it. None if it was not accepted: the queue may be full."""
    try:
        answer = observer.submit(observer.body(f"Concurrent submit {unique_hex(4)}")).answer
        task_id = wire.task_in(answer).get("task_id")
        if not isinstance(task_id, str):
            return None
        exchange = observer.send("GET", f"/agent/status/{task_id}")
        observer.drop(task_id)
        return exchange
    except NoResponse as error:
        raise silent_server(app.url, app.time_limit, f"one of them → {error}", error) from None


def must_be_refused(app: App, exchange: Exchange, says: str = "") -> None:
    """Check that the response is 422, and mentions `says`."""
    if exchange.answer.status < 300:
        raise Wrong("INVALID_ACCEPTED")
    if exchange.answer.status != 422:
        raise Wrong("WRONG_STATUS_CODE", f"the status code is {exchange.answer.status}, expected 422", *_UNPROCESSABLE)
    if not wire.problem(exchange.answer) and says not in wire.task_in(exchange.answer)["detail"]:
        raise Wrong("INVALID_ACCEPTED", f"the response does not mention {says}", *_UNNAMED)


_UNPROCESSABLE = (
    "the framework uses its own status code for a body that it cannot parse.",
    "respond with 422 to every invalid body, with a detail that says what is wrong.",
)


_UNNAMED = ("the response says that the body is invalid, but not why.", "name the field in the detail.")
