"""What the checks of the wire contract share."""

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
from tests.checkpoints.engine.http.http_client import NoAnswer, summarize
from tests.checkpoints.engine.http.wire import task_in

#: An answer that took longer than this is shown with how long it took.
_LONG_SECONDS = 0.5


def note(app: App, exchange: Exchange, more: str = "") -> None:
    """Tell what was answered, at the moment when it was asked for."""
    late = f", {took:.1f} s later" if (took := exchange.at - exchange.sent) >= _LONG_SECONDS else ""
    app.timeline.note(f"{exchange.what} → {summarize(exchange.answer)}{more}{late}", exchange.sent)


def submitted(app: App, observer: Observer, body: object, what: str, headers: dict[str, str] | None = None) -> Exchange:
    """Submit something, whatever the answer; one that is not given is diagnosed."""
    app.timeline.note(f"POST /agent/submit ({what})")
    try:
        exchange = observer.submit(body, headers)
    except NoAnswer as error:
        app.timeline.amend(f" → {error}")
        raise silent_server(app.url, app.time_limit, "", error) from None
    app.timeline.amend(f" → {summarize(exchange.answer)}")
    app.refuse_5xx(exchange.answer)
    return exchange


def each_poll(task: ObservedTask) -> Iterator[tuple[str, Exchange]]:
    """Every answer that told a task, and how it is shown. What else was answered is one check's question."""
    for exchange in task.known:
        yield f"{exchange.what} → {summarize(exchange.answer)}", exchange


def shown(exchange: Exchange, field: str) -> str:
    """A field as it was told."""
    return repr(task_in(exchange.answer).get(field, "not there"))[:30]


def must_have_cancel(observer: Observer) -> None:
    """Say so when there is no cancel, which is another check's question."""
    observer.c.over.wait()
    if not any(exchange.answer.status in {200, 409} for exchange in observer.c.cancels):
        raise NotReached("nothing could be cancelled")


def ends_well(task: ObservedTask) -> None:
    """It is completed, and was seen running before."""
    words = [exchange.word for exchange in task.known]
    if not words:
        raise Wrong("RECORD_TOO_LATE", f"GET {task.path} → 404, to the end")
    end, body = words[-1], task_in(task.known[-1].answer)
    if end == "pending":
        raise Wrong("PENDING_FOREVER")
    if end == "running":
        if len({task_in(exchange.answer).get("progress") for exchange in task.known[len(words) // 2 :]}) > 1:
            raise Inconclusive("Its agent is still at work. Give it one that takes a few seconds, and check again.")
        raise Wrong("STUCK_RUNNING", *_STUCK)
    if end != "completed":
        raise agent_failed(body)
    if "running" not in words and len(words) > 1:
        raise never_running(body, task.polls[-1].at - task.polls[0].at)


_STUCK = (
    "",
    "nothing writes the outcome. Or this agent takes longer than was waited for it: a few seconds are right here.",
    "let the agent take a few seconds; then look what comes after it has returned, and whether it is reached.",
)


def submit_and_poll(app: App, observer: Observer) -> Exchange | None:
    """Submit a task, look at it at once, and cancel it; None when it was not accepted, for it may be full."""
    try:
        answer = observer.submit(observer.body(f"One of many: {unique_hex(4)}")).answer
        task_id = wire.task_in(answer).get("task_id")
        if not isinstance(task_id, str):
            return None
        exchange = observer.send("GET", f"/agent/status/{task_id}")
        observer.drop(task_id)
        return exchange
    except NoAnswer as error:
        raise silent_server(app.url, app.time_limit, f"one of them: {error}", error) from None


def must_be_refused(app: App, exchange: Exchange, says: str = "") -> None:
    """It must have been answered with 422, and say this."""
    if exchange.answer.status < 300:
        raise Wrong("INVALID_ACCEPTED")
    if exchange.answer.status != 422:
        raise Wrong("WRONG_STATUS_CODE", f"the answer is {exchange.answer.status}, where 422 is due", *_UNPROCESSABLE)
    if not wire.problem(exchange.answer) and says not in wire.task_in(exchange.answer)["detail"]:
        raise Wrong("INVALID_ACCEPTED", f"and the answer does not name {says}", *_UNNAMED)


_UNPROCESSABLE = (
    "the framework has a status code of its own for what it cannot read.",
    "answer 422 to every body that is no submit, with a detail that says what is wrong with it.",
)


_UNNAMED = ("the answer says that something is wrong, and not what.", "name the field in the detail.")
