"""The whole wire contract, from outside, for a server in any language: the immediate responses.

`test_contract_outcome.py` covers what is known once a task is finished, and `test_contract_more.py` what is optional.
All of them look at the same few tasks, which an `Observer` watches.
"""

import secrets
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urljoin, urlsplit

import pytest

from tests.checkpoints.engine.actors.app import App
from tests.checkpoints.engine.actors.external import TOO_QUICK, finished_at_first_poll, silent_server
from tests.checkpoints.engine.actors.observed_task import Exchange
from tests.checkpoints.engine.actors.observer import Observer
from tests.checkpoints.engine.diagnosis.failures import Inconclusive, NotReached, Wrong
from tests.checkpoints.engine.http import wire
from tests.checkpoints.engine.http.http_client import NoResponse, post_long_body, summarize
from tests.checkpoints.engine.scenarios.contract import (
    must_be_refused,
    must_have_cancel,
    note,
    submit_and_poll,
    submitted,
)

#: All checks look at the same tasks, so none is skipped because of another check's failure.
pytestmark = pytest.mark.independent

AT_ONCE = 16
FAR_TOO_LONG = 16 * 1024 * 1024
UNKNOWN_IDS = ("never-given-out", "0", "null", "__proto__", "constructor", "%C3%A4", "x" * 300)
INVALID_BODIES: dict[str, object] = {
    "nothing": b"",
    "half a body": b'{"prompt": "x"',
    "a list": b"[]",
    "null": b"null",
    "no prompt": {},
    "an empty prompt": "",
    "a prompt that is null": None,
    "a prompt that is a number": 7,
    "a prompt that is a list": ["x"],
}


def accepted(observer: Observer) -> Exchange:
    """The response to the first submit."""
    observer.must_have_tasks()
    assert observer.a.submit
    return observer.a.submit


@pytest.mark.points(2)
def test_submit_is_202(app: App, observer: Observer) -> None:
    """Submit responds with 202, and a task with its id."""
    observer.a.answered.wait()
    if observer.a.lost:
        app.timeline.note(f"POST /agent/submit (task A) → {observer.a.lost}")
        raise silent_server(app.url, app.time_limit, "", observer.a.lost)
    assert observer.a.submit
    note(app, observer.a.submit)
    answer = observer.a.submit.answer
    if observer.calls_back and answer.status == 422:
        raise Inconclusive(
            f"It refuses callbacks to this machine: {summarize(answer)[4:]}. Allow them, and check again."
        )
    if answer.status in {404, 405} or (answer.status == 501 and answer.json is None):
        raise Wrong("WRONG_STATUS_CODE", "", *_NO_SUCH_ROUTE)
    app.accepted(answer, observer.a.prompt, observer.a.name)


_NO_SUCH_ROUTE = (
    "there is no route for POST /agent/submit: the URL is wrong, or the route has another path.",
    "check the URL, and the server's list of routes.",
)


def test_health(app: App) -> None:
    """GET /health reports that the server is healthy, and its pattern."""
    answer = app.request("GET", "/health")
    body = wire.task_in(answer)
    if answer.status != 200 or body.get("status") != "ok" or not isinstance(body.get("pattern"), str):
        raise Wrong("HEALTH_NOT_OK", f"the body is {answer.text or 'empty'}")


def test_location(app: App, observer: Observer) -> None:
    """The response to submit has a Location header with the URL of the status."""
    exchange = accepted(observer)
    where = exchange.answer.headers.get("location", "")
    note(app, exchange, f", Location: {where}" if where else ", without a Location")
    path = urlsplit(urljoin(f"{app.url.rstrip('/')}/agent/submit", where)).path
    if not where or path != f"{urlsplit(app.url).path.rstrip('/')}{observer.a.path}":
        raise Wrong("LOCATION_MISSING")


def test_submit_has_retry_after(app: App, observer: Observer) -> None:
    """The response to submit has a Retry-After header."""
    exchange = accepted(observer)
    if not wire.says_when(exchange.answer):
        note(app, exchange, f", Retry-After: {exchange.answer.headers.get('retry-after')!r}")
        raise Wrong("WHEN_TO_ASK_MISSING")


@pytest.mark.points(2)
def test_submit_does_not_wait_for_the_agent(app: App, observer: Observer) -> None:
    """Submit and status respond while the agent works."""
    first = []
    for task in (observer.a, observer.b):
        observer.must_have_tasks()
        if not (exchange := observer.first_poll(task)) or not task.submit:
            observer.wait_for(task)
            continue
        if not exchange.finished:
            return
        note(app, task.submit)
        note(app, exchange)
        first.append((task.submit.at - task.submit.sent, exchange.at - exchange.sent))
    observer.must_not_have_stalled()
    observer.slow = True
    raise finished_at_first_poll(*min(first)) if first else NotReached("no task was accepted")


@pytest.mark.points(2)
def test_the_record_exists_before_the_response(app: App, observer: Observer) -> None:
    """A task is known as soon as it is accepted, even if many are submitted at once."""
    observer.must_have_tasks()
    for task in (observer.a, observer.b):
        if (first := observer.first_poll(task)) and first.answer.status == 404:
            note(app, first)
            raise Wrong("RECORD_TOO_LATE")
    if observer.slow:
        raise NotReached("too many requests would have to wait")
    app.timeline.note(f"POST /agent/submit, {AT_ONCE} times at once, each followed by its GET /agent/status/…")
    with ThreadPoolExecutor(AT_ONCE) as threads:
        pairs = list(threads.map(lambda _: submit_and_poll(app, observer), range(AT_ONCE)))
    known = [exchange for exchange in pairs if exchange]
    for exchange in known:
        if exchange.answer.status != 200:
            app.refuse_5xx(exchange.answer)
            note(app, exchange)
            raise Wrong("RECORD_TOO_LATE")
    if not known:
        raise Inconclusive(
            "None of these tasks was accepted: the queue is full. Wait until it is empty, and check again."
        )


def test_an_invalid_body_is_422(app: App, observer: Observer) -> None:
    """An invalid body gets a 422."""
    observer.must_have_tasks()
    for what, body in INVALID_BODIES.items():
        sent = body if isinstance(body, bytes) else {} if body == {} else observer.body(body)
        must_be_refused(app, submitted(app, observer, sent, what))


def test_a_callback_url_is_required_or_refused(app: App, observer: Observer) -> None:
    """A callback_url is required if the server sends callbacks, and refused otherwise, with a 422 that names it."""
    observer.must_have_tasks()
    body: dict[str, object] = {"prompt": "x", "callback_url": f"{observer.receiver.url}/hooks/agent"}
    if observer.calls_back:
        body.pop("callback_url")
    what = f"{'without' if observer.calls_back else 'with'} a callback_url"
    exchange = submitted(app, observer, body, what)
    if not observer.calls_back and isinstance(wire.task_in(exchange.answer).get("delivery"), dict):
        return  # callbacks are optional on this server, and the task shows the state of its delivery
    must_be_refused(app, exchange, "callback_url")


def test_a_body_that_is_far_too_long_is_413(app: App, observer: Observer) -> None:
    """A body that is far too long (16 MiB) gets a 413."""
    observer.must_have_tasks()
    app.timeline.note("POST /agent/submit (16 MiB)")
    try:
        answer = post_long_body(app.url, "/agent/submit", observer.body("x" * FAR_TOO_LONG), 2 * app.time_limit)
    except NoResponse as error:
        app.timeline.amend(f" → {error}")
        silent = silent_server(app.url, app.time_limit, "", error)
        raise silent if silent.code == "CRASHED" else Wrong("BODY_LIMIT_MISSING") from None
    app.timeline.amend(f" → {summarize(answer)}")
    observer.forget_later(answer)
    if answer.status != 413:
        raise Wrong("BODY_LIMIT_MISSING")


@pytest.mark.points(2)
def test_an_unknown_id_is_404(app: App, observer: Observer) -> None:
    """An unknown task id gets a 404, whatever it looks like."""
    observer.must_have_tasks()
    for task_id in UNKNOWN_IDS:
        if app.request("GET", f"/agent/status/{task_id}").status != 404:
            raise Wrong("UNKNOWN_ID_NOT_404")


@pytest.mark.points(2)
def test_the_same_key_returns_the_same_task(app: App, observer: Observer) -> None:
    """The same Idempotency-Key with the same body returns the same task."""
    observer.must_have_tasks()
    key, body = {"Idempotency-Key": secrets.token_hex(8)}, observer.body("Once, please.")
    ids = []
    for what in ("with a key", "the same again"):
        exchange = submitted(app, observer, body, what, key)
        app.timeline.amend(f", task_id {wire.task_in(exchange.answer).get('task_id')}")
        ids.append(wire.task_in(exchange.answer).get("task_id"))
    if ids[0] is None or ids[0] != ids[1]:
        raise Wrong("KEY_IGNORED")


def test_the_same_key_with_another_body_is_422(app: App, observer: Observer) -> None:
    """The same Idempotency-Key with a different body gets a 422."""
    observer.must_have_tasks()
    key = {"Idempotency-Key": secrets.token_hex(8)}
    submitted(app, observer, observer.body("One thing."), "with a key", key)
    if (
        submitted(app, observer, observer.body("Another thing."), "another body, the same key", key).answer.status
        != 422
    ):
        raise Wrong("KEY_FOR_ANOTHER_BODY")


@pytest.mark.points(2)
def test_a_task_is_cancelled(app: App, observer: Observer) -> None:
    """Cancel ends an unfinished task, with 200 and the task, even if it is sent twice."""
    observer.must_have_tasks()
    observer.c.over.wait()
    if observer.c.lost or not observer.c.cancels:
        raise NotReached("an earlier request got no response")
    for what, exchange in zip(("", ", the second time"), observer.c.cancels, strict=False):
        note(app, exchange, what)
        app.refuse_5xx(exchange.answer)
        if exchange.answer.status == 409 and not what and observer.c.polls[-1].word == "completed":
            raise Inconclusive(TOO_QUICK)
        if exchange.answer.status != 200 or exchange.word != "cancelled":
            raise Wrong("CANCEL_REFUSED")


def test_an_unknown_task_cannot_be_cancelled(app: App, observer: Observer) -> None:
    """Cancelling an unknown task id gets a 404."""
    observer.must_have_tasks()
    must_have_cancel(observer)
    for task_id in UNKNOWN_IDS:
        if app.request("POST", f"/agent/cancel/{task_id}").status != 404:
            raise Wrong("UNKNOWN_ID_NOT_404")
