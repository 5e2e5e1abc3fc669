"""The whole wire contract, from outside: what is known once two tasks are finished, whatever agent the server runs."""

import time

import pytest

from tests.checkpoints.engine.actors.app import App
from tests.checkpoints.engine.actors.external import TOO_QUICK
from tests.checkpoints.engine.actors.observed_task import Exchange, held_back
from tests.checkpoints.engine.actors.observer import Observer
from tests.checkpoints.engine.diagnosis.failures import Inconclusive, NotReached, Wrong
from tests.checkpoints.engine.http import wire
from tests.checkpoints.engine.http.http_client import summarize
from tests.checkpoints.engine.scenarios.contract import each_poll, ends_well, must_have_cancel, note, shown

#: All checks look at the same tasks, so none is skipped because of another check's failure.
pytestmark = pytest.mark.independent


@pytest.mark.points(2)
def test_a_task_goes_from_pending_to_completed(app: App, observer: Observer) -> None:
    """Status goes from pending to running to completed, and never back."""
    for task in observer.followed():
        before = ""
        for exchange in task.polls:
            seen = f"{exchange.what} → {summarize(exchange.answer)}"
            if exchange.answer.status == 404 and not before:
                continue  # the record is created too late, which another check covers
            if exchange.answer.status != 200:
                app.refuse_5xx(exchange.answer, seen)
                raise Wrong("FORGOTTEN_TOO_SOON" if exchange.answer.status == 404 else "WRONG_STATUS_CODE", seen)
            if not exchange.word:
                raise Wrong("WRONG_WORDS", seen)
            if exchange.word != before:
                note(app, exchange)
            if before and wire.ORDER[exchange.word] < wire.ORDER[before]:
                raise Wrong("STATUS_WENT_BACK")
            before = exchange.word
        ends_well(task)


def test_two_tasks_do_not_mix(app: App, observer: Observer) -> None:
    """Two tasks get different ids, and each id returns its own task."""
    both = observer.followed()
    if both[0].task_id == both[1].task_id:
        raise Wrong("TASKS_MIXED_UP", "both submits returned the same id")
    for task in both:
        for seen, exchange in each_poll(task):
            if (other_id := wire.task_in(exchange.answer).get("task_id")) not in {None, task.task_id}:
                raise Wrong("TASKS_MIXED_UP", f"{seen}, with the task_id {other_id}")


def test_a_task_has_all_eight_fields(app: App, observer: Observer) -> None:
    """A task has all eight fields, from the first response to the last."""
    for task in observer.followed():
        for exchange in [task.submit, *task.known] if task.submit else []:
            if fault := wire.shape(wire.task_in(exchange.answer)):
                note(app, exchange, f", {fault}")
                raise Wrong("FIELDS_MISSING")


@pytest.mark.points(2)
def test_progress(app: App, observer: Observer) -> None:
    """Progress is a whole percent, never goes back, and is 100 when the task is completed."""
    for task in observer.followed():
        before = 0
        for seen, exchange in each_poll(task):
            now = wire.percent(wire.task_in(exchange.answer), f"{seen}, progress {shown(exchange, 'progress')}", before)
            if now != before:
                note(app, exchange, f", progress {now}")
            before = now
            if exchange.word == "completed" and now != 100:
                note(app, exchange, f", progress {now}")
                raise Wrong("PROGRESS_NOT_100")


def test_times(app: App, observer: Observer) -> None:
    """The times are ISO 8601 in UTC, set as soon as they are known, and in order."""
    for task in observer.followed():
        for exchange in task.known:
            if fault := wire.times(wire.task_in(exchange.answer)):
                note(app, exchange, f", {fault}")
                raise Wrong("BAD_TIMES")


def test_the_result_is_a_string(app: App, observer: Observer) -> None:
    """The result is a string when the task is completed, and null before that."""
    for task in observer.completed():
        for exchange in task.known:
            result = wire.task_in(exchange.answer).get("result")
            if isinstance(result, str) != (exchange.word == "completed"):
                note(app, exchange, f", result {shown(exchange, 'result')}")
                raise Wrong("RESULT_MISSING" if exchange.word == "completed" else "FINISHED_TOO_SOON")


def test_status_has_retry_after(app: App, observer: Observer) -> None:
    """Status has a Retry-After header until the task is finished, and not after that."""
    for task in observer.followed():
        for exchange in task.known:
            if exchange.word and exchange.finished == ("retry-after" in exchange.answer.headers):
                note(app, exchange, ", with a Retry-After" if exchange.finished else ", without a Retry-After")
                raise Wrong("ASK_AGAIN_FOR_NOTHING" if exchange.finished else "WHEN_TO_ASK_MISSING")


@pytest.mark.points(2)
def test_a_response_is_held(app: App, observer: Observer) -> None:
    """Prefer: wait holds the response until the task is finished, and no longer."""
    seen_to_hold = False
    for task in observer.followed():
        for exchange in list(task.held):
            if exchange.word and not exchange.finished and not held_back(exchange):
                note(app, exchange, f", {exchange.at - exchange.sent:.2f} s after the request with Prefer: wait")
                raise Wrong("NO_LONG_POLL")
            seen_to_hold = seen_to_hold or any(
                exchange.sent < other.sent and not other.finished for other in task.polls
            )
    until_held_is_answered(app, observer)
    if not seen_to_hold:
        raise Inconclusive(TOO_QUICK)


def until_held_is_answered(app: App, observer: Observer) -> None:
    """Check that the held response arrives, now that the task is finished."""
    end = observer.a.polls[-1]
    if end.finished and not observer.a.held_over.wait(max(0.0, end.at + app.time_limit - time.monotonic())):
        observer.must_not_have_stalled()
        app.timeline.note(f"GET {observer.a.path}, Prefer: wait=30 → …", observer.a.polls[0].sent)
        note(app, end)
        app.timeline.note(f"the held response has not arrived {app.time_limit:g} s later")
        raise Wrong("HELD_TOO_LONG")


def test_a_finished_task_never_changes(app: App, observer: Observer) -> None:
    """A finished task never changes, however often it is polled."""
    for task in observer.completed():
        for _ in range(3):
            now = app.request("GET", task.path)
            if now.status != 200:
                raise Wrong("FORGOTTEN_TOO_SOON")
            before, after = wire.fields_in(task.polls[-1].answer), wire.fields_in(now)
            if changed := [name for name in before if before[name] != after[name]]:
                raise Wrong("OUTCOME_CHANGED", f"its {changed[0]} was {before[changed[0]]!r} before")


@pytest.mark.points(2)
def test_an_unchanged_task_is_304(app: App, observer: Observer) -> None:
    """If-None-Match with the current ETag gets a 304 without a body."""
    task = observer.completed()[0]
    deadline = time.monotonic() + app.time_limit
    while True:
        first = app.request("GET", task.path, note=False)
        etag = first.headers.get("etag", "")
        app.timeline.note(f"GET {task.path} → {summarize(first)}, ETag: {etag or 'missing'}")
        if not etag.removeprefix("W/").startswith('"'):
            raise Wrong("NO_ETAG")
        again = app.request("GET", task.path, headers={"If-None-Match": etag})
        if again.status == 304 and not again.body:
            break
        if again.headers.get("etag") == etag or time.monotonic() > deadline:
            raise Wrong("ETAG_IGNORED", f"the request had If-None-Match: {etag}")
    if app.request("GET", task.path, headers={"If-None-Match": '"another"'}).status != 200:
        raise Wrong("ETAG_IGNORED", 'the request had If-None-Match: "another"')


def test_the_etag_changes_with_the_task(app: App, observer: Observer) -> None:
    """The ETag changes with the task: a request with an old ETag gets the new task."""
    for task in observer.completed():
        by_etag: dict[str, Exchange] = {}
        for exchange in task.known:
            if not (etag := exchange.answer.headers.get("etag")):
                raise NotReached("status has no ETag")
            other = by_etag.setdefault(etag, exchange)
            if wire.fields_in(other.answer) != wire.fields_in(exchange.answer):
                for poll in (other, exchange):
                    note(app, poll, f", progress {shown(poll, 'progress')}, ETag: {etag}")
                raise Wrong("ETAG_STAYS")
        old = task.known[0]
        if (
            not old.finished
            and app.request("GET", task.path, headers={"If-None-Match": old.answer.headers["etag"]}).status != 200
        ):
            raise Wrong("ETAG_STAYS", "the request had the ETag of the unfinished task")


def test_a_completed_task_cannot_be_cancelled(app: App, observer: Observer) -> None:
    """Cancelling a completed task gets a 409, and changes nothing."""
    task = observer.completed()[1]
    must_have_cancel(observer)
    answer = app.request("POST", f"/agent/cancel/{task.task_id}")
    after = app.request("GET", task.path)
    if answer.status != 409 or wire.word_in(after) != "completed":
        raise Wrong("CANCELLED_THOUGH_DONE")


@pytest.mark.points(2)
def test_a_cancelled_task_stays_cancelled(app: App, observer: Observer) -> None:
    """A cancelled task stays cancelled, even when its agent would have finished."""
    observer.followed()
    observer.wait_for(observer.f)  # it was submitted later, and takes as long
    must_have_cancel(observer)
    if (cancelled := observer.c.cancels[0]).word != "cancelled":
        raise NotReached("the task was not cancelled")
    note(app, cancelled)
    if wire.word_in(app.request("GET", observer.c.path)) != "cancelled":
        raise Wrong("STATUS_WENT_BACK", *_CAME_BACK)


_CAME_BACK = (
    "",
    "the agent continues, and its result overwrites the cancelled record.",
    "check the status before you write: a finished task never changes. Stop the agent, too, if possible.",
)


@pytest.mark.points(2)
def test_every_error_is_a_problem(app: App, observer: Observer) -> None:
    """Every error is application/problem+json, with a title and a detail."""
    task = observer.followed()[0]
    unknown = app.request("GET", "/agent/status/never-given-out")
    too_late = app.request("POST", f"/agent/cancel/{task.task_id}")
    no_submit = app.request("POST", "/agent/submit", b"{")
    for answer, due in ((unknown, 404), (too_late, 409), (no_submit, 422)):
        # Another check covers the status code itself.
        if answer.status == due and (fault := wire.problem(answer)):
            raise Wrong("NOT_A_PROBLEM", f"the response {answer.status}: {fault}")
