"""The whole wire contract, from outside, for a server in any language: what is answered at once.

What takes until a task is finished is in `test_contract_outcome.py`, and what not every server does in
`test_contract_more.py`. All of them look at the same few tasks, which a `Witness` watches.
"""

import secrets
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urljoin, urlsplit

import pytest

from tests.checkpoints.engine import wire
from tests.checkpoints.engine.app import App
from tests.checkpoints.engine.asking import NoAnswer, ask_with_a_long_body, told
from tests.checkpoints.engine.contract import must_have_cancel, note, submitted
from tests.checkpoints.engine.outside import TOO_QUICK, over_at_the_first_look, silent_server
from tests.checkpoints.engine.unlike import mark
from tests.checkpoints.engine.verdict import Inconclusive, NotReached, Wrong
from tests.checkpoints.engine.witness import Look, Witness

#: They look at the same tasks, and none of them waits for its own: no failure keeps another check from being made.
pytestmark = pytest.mark.apart

AT_ONCE = 16
FAR_TOO_LONG = 16 * 1024 * 1024
NEVER_GIVEN_OUT = ("never-given-out", "0", "null", "__proto__", "constructor", "%C3%A4", "x" * 300)
NO_SUBMITS: dict[str, object] = {
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


def accepted(witness: Witness) -> Look:
    """The answer to the first submit."""
    witness.must_have_tasks()
    assert witness.a.submit
    return witness.a.submit


@pytest.mark.points(2)
def test_submit_is_202(app: App, witness: Witness) -> None:
    """Submit is answered with 202, and the task with its id."""
    witness.a.answered.wait()
    if witness.a.lost:
        app.timeline.note(f"POST /agent/submit (task A) → {witness.a.lost}")
        raise silent_server(app.url, app.patience, "", witness.a.lost)
    assert witness.a.submit
    note(app, witness.a.submit)
    answer = witness.a.submit.answer
    if witness.calls_back and answer.status == 422:
        raise Inconclusive(f"It will not call this machine back: {told(answer)[4:]}. Let it, and check again.")
    if answer.status in {404, 405} or (answer.status == 501 and answer.json is None):
        raise Wrong("WRONG_STATUS_CODE", "", *_NO_SUCH_ROUTE)
    app.accepted(answer, witness.a.prompt, witness.a.name)


_NO_SUCH_ROUTE = (
    "nothing takes a POST at /agent/submit: this is another server than you think, or the route has another name.",
    "look at the address that you gave, and at the server's list of routes.",
)


def test_health(app: App) -> None:
    """GET /health says that all is well, and which pattern it is."""
    answer = app.ask("GET", "/health")
    body = wire.task_in(answer)
    if answer.status != 200 or body.get("status") != "ok" or not isinstance(body.get("pattern"), str):
        raise Wrong("HEALTH_NOT_OK", f"the body is {answer.text or 'empty'}")


def test_location(app: App, witness: Witness) -> None:
    """Its header Location says where the status of the task is."""
    look = accepted(witness)
    where = look.answer.headers.get("location", "")
    note(app, look, f", Location: {where}" if where else ", without a Location")
    path = urlsplit(urljoin(f"{app.url.rstrip('/')}/agent/submit", where)).path
    if not where or path != f"{urlsplit(app.url).path.rstrip('/')}{witness.a.path}":
        raise Wrong("LOCATION_MISSING")


def test_submit_says_when_to_ask(app: App, witness: Witness) -> None:
    """Its header Retry-After says when to ask for the first time."""
    look = accepted(witness)
    if not wire.says_when(look.answer):
        note(app, look, f", Retry-After: {look.answer.headers.get('retry-after')!r}")
        raise Wrong("WHEN_TO_ASK_MISSING")


@pytest.mark.points(2)
def test_submit_does_not_wait_for_the_agent(app: App, witness: Witness) -> None:
    """Submit and status are answered while the agent works."""
    first = []
    for task in (witness.a, witness.b):
        witness.must_have_tasks()
        if not (look := witness.first_look(task)) or not task.submit:
            witness.wait_for(task)
            continue
        if not look.finished:
            return
        note(app, task.submit)
        note(app, look)
        first.append((task.submit.at - task.submit.sent, look.at - look.sent))
    witness.stood_still()
    witness.slow = True
    raise over_at_the_first_look(*min(first)) if first else NotReached("no task was accepted")


@pytest.mark.points(2)
def test_the_record_exists_before_the_answer(app: App, witness: Witness) -> None:
    """A task is known as soon as it is accepted, also when many come at once."""
    witness.must_have_tasks()
    for task in (witness.a, witness.b):
        if (first := witness.first_look(task)) and first.answer.status == 404:
            note(app, first)
            raise Wrong("RECORD_TOO_LATE")
    if witness.slow:
        raise NotReached("too much would wait for too long")
    app.timeline.note(f"POST /agent/submit, {AT_ONCE} times at once, each followed by its GET /agent/status/…")
    with ThreadPoolExecutor(AT_ONCE) as threads:
        pairs = list(threads.map(lambda _: submit_and_look(app, witness), range(AT_ONCE)))
    known = [look for look in pairs if look]
    for look in known:
        if look.answer.status != 200:
            app.refuse_5xx(look.answer)
            note(app, look)
            raise Wrong("RECORD_TOO_LATE")
    if not known:
        raise Inconclusive("None of these was accepted: its queue is full. Wait until it is empty, and check again.")


def submit_and_look(app: App, witness: Witness) -> Look | None:
    """Submit a task, look at it at once, and cancel it; None when it was not accepted, for it may be full."""
    try:
        answer = witness.submit(witness.body(f"One of many: {mark(4)}")).answer
        task_id = wire.task_in(answer).get("task_id")
        if not isinstance(task_id, str):
            return None
        look = witness.look("GET", f"/agent/status/{task_id}")
        witness.drop(task_id)
        return look
    except NoAnswer as error:
        raise silent_server(app.url, app.patience, f"one of them: {error}", error) from None


def test_what_is_no_submit_is_422(app: App, witness: Witness) -> None:
    """A body that is no submit is answered with 422."""
    witness.must_have_tasks()
    for what, body in NO_SUBMITS.items():
        sent = body if isinstance(body, bytes) else {} if body == {} else witness.body(body)
        refused(app, submitted(app, witness, sent, what))


def refused(app: App, look: Look, says: str = "") -> None:
    """It must have been answered with 422, and say this."""
    if look.answer.status < 300:
        raise Wrong("INVALID_ACCEPTED")
    if look.answer.status != 422:
        raise Wrong("WRONG_STATUS_CODE", f"the answer is {look.answer.status}, where 422 is due", *_UNPROCESSABLE)
    if not wire.problem(look.answer) and says not in wire.task_in(look.answer)["detail"]:
        raise Wrong("INVALID_ACCEPTED", f"and the answer does not name {says}", *_UNNAMED)


_UNPROCESSABLE = (
    "the framework has a status code of its own for what it cannot read.",
    "answer 422 to every body that is no submit, with a detail that says what is wrong with it.",
)
_UNNAMED = ("the answer says that something is wrong, and not what.", "name the field in the detail.")


def test_a_callback_url_where_it_is_called_and_nowhere_else(app: App, witness: Witness) -> None:
    """Where the server calls back a callback_url is required, and elsewhere refused: 422 that names it."""
    witness.must_have_tasks()
    body: dict[str, object] = {"prompt": "x", "callback_url": f"{witness.receiver.url}/hooks/agent"}
    if witness.calls_back:
        body.pop("callback_url")
    what = f"{'without' if witness.calls_back else 'with'} a callback_url"
    look = submitted(app, witness, body, what)
    if not witness.calls_back and isinstance(wire.task_in(look.answer).get("delivery"), dict):
        return  # it calls back whoever asks for it, and shows how far it is with that
    refused(app, look, "callback_url")


def test_a_body_that_is_far_too_long_is_413(app: App, witness: Witness) -> None:
    """A body that is far too long, 16 MiB, is answered with 413."""
    witness.must_have_tasks()
    app.timeline.note("POST /agent/submit (16 MiB)")
    try:
        answer = ask_with_a_long_body(app.url, "/agent/submit", witness.body("x" * FAR_TOO_LONG), 2 * app.patience)
    except NoAnswer as error:
        app.timeline.amend(f" → {error}")
        silent = silent_server(app.url, app.patience, "", error)
        raise silent if silent.code == "CRASHED" else Wrong("BODY_LIMIT_MISSING") from None
    app.timeline.amend(f" → {told(answer)}")
    witness.forget_later(answer)
    if answer.status != 413:
        raise Wrong("BODY_LIMIT_MISSING")


@pytest.mark.points(2)
def test_an_id_that_was_never_given_out_is_404(app: App, witness: Witness) -> None:
    """An id that was never given out is answered with 404, whatever it looks like."""
    witness.must_have_tasks()
    for task_id in NEVER_GIVEN_OUT:
        if app.ask("GET", f"/agent/status/{task_id}").status != 404:
            raise Wrong("UNKNOWN_ID_NOT_404")


@pytest.mark.points(2)
def test_the_same_key_gives_the_same_task(app: App, witness: Witness) -> None:
    """The same Idempotency-Key with the same body gives the same task."""
    witness.must_have_tasks()
    key, body = {"Idempotency-Key": secrets.token_hex(8)}, witness.body("Once, please.")
    ids = []
    for what in ("with a key", "the same again"):
        look = submitted(app, witness, body, what, key)
        app.timeline.amend(f", task_id {wire.task_in(look.answer).get('task_id')}")
        ids.append(wire.task_in(look.answer).get("task_id"))
    if ids[0] is None or ids[0] != ids[1]:
        raise Wrong("KEY_IGNORED")


def test_the_same_key_with_another_body_is_422(app: App, witness: Witness) -> None:
    """The same Idempotency-Key with another body is answered with 422."""
    witness.must_have_tasks()
    key = {"Idempotency-Key": secrets.token_hex(8)}
    submitted(app, witness, witness.body("One thing."), "with a key", key)
    if submitted(app, witness, witness.body("Another thing."), "another body, the same key", key).answer.status != 422:
        raise Wrong("KEY_FOR_ANOTHER_BODY")


@pytest.mark.points(2)
def test_a_task_is_cancelled(app: App, witness: Witness) -> None:
    """Cancel ends a task that is not finished: 200 and the task, and again when it is sent twice."""
    witness.must_have_tasks()
    witness.c.over.wait()
    if witness.c.lost or not witness.c.cancels:
        raise NotReached("there was no answer before")
    for what, look in zip(("", ", the second time"), witness.c.cancels, strict=False):
        note(app, look, what)
        app.refuse_5xx(look.answer)
        if look.answer.status == 409 and not what and witness.c.looks[-1].word == "completed":
            raise Inconclusive(TOO_QUICK)
        if look.answer.status != 200 or look.word != "cancelled":
            raise Wrong("CANCEL_REFUSED")


def test_what_was_never_given_out_cannot_be_cancelled(app: App, witness: Witness) -> None:
    """Cancelling an id that was never given out is answered with 404."""
    witness.must_have_tasks()
    must_have_cancel(witness)
    for task_id in NEVER_GIVEN_OUT:
        if app.ask("POST", f"/agent/cancel/{task_id}").status != 404:
            raise Wrong("UNKNOWN_ID_NOT_404")
