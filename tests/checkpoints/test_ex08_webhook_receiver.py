"""Checkpoint 8: verify, refuse what is stale, drop repeats, answer at once and work later."""

from collections.abc import Callable

import pytest

from tests.checkpoints.engine.actors.environment import CheckEnvironment
from tests.checkpoints.engine.diagnosis.failures import NotFromOutside, Wrong
from tests.checkpoints.engine.webhooks.sender import PATH, Sender, prompt
from tests.checkpoints.engine.webhooks.signing import new_secret, signed_headers

_TEN_MINUTES = 600
#: More than somebody has threads that end with the first exception.
_FAILURES = 9
_OTHER_OUTCOMES: dict[str, dict[str, object]] = {
    "a failure": {"status": "failed", "error": "Das Modell antwortet nicht."},
    "that it was cancelled": {"status": "cancelled"},
}


@pytest.fixture
def sender(environment: CheckEnvironment) -> Sender:
    """The sender of the callbacks, and the learner's endpoint, up and answering."""
    if environment.url:
        raise NotFromOutside("it needs the receiver's secret, and the kit's own agent")
    secret = new_secret()
    return Sender(environment.serve("receiver", WEBHOOK_SECRET=secret), secret)


@pytest.mark.points(2)
def test_a_genuine_delivery_is_taken_and_worked_on(sender: Sender) -> None:
    """A genuine delivery is taken, to the byte, and worked on once, whatever it tells."""
    for what, known_as in (("a genuine one", "genuine one"), ("another genuine one", "other")):
        task_id, body, headers = sender.delivery()
        sender.take(what, body, headers)
        sender.worked_on(task_id, known_as).finish()
    for what, outcome in _OTHER_OUTCOMES.items():
        task_id, body, headers = sender.delivery(instead={"result": None, "progress": 40, **outcome})
        sender.take(f"a genuine one, which tells {what}", body, headers)
        sender.worked_on(
            task_id,
            f"one that tells {what}",
            likely="only a callback that says completed is worked on: whoever waits never hears of another outcome.",
            next_step="hand every callback over that is genuine and new: what to make of it is for `work` to say.",
        ).finish()
    task_id, body, headers = sender.delivery(age=120)
    sender.take("a genuine one, two minutes old", body, headers)
    sender.worked_on(task_id, "one that is two minutes old").finish()


@pytest.mark.points(2)
def test_the_answer_does_not_wait_for_the_work(sender: Sender) -> None:
    """The answer leaves while the work goes on, and so does the answer to the next."""
    task_id, body, headers = sender.delivery()
    sender.take("a genuine one", body, headers)
    run = sender.worked_on(task_id, "genuine one")
    another, body, headers = sender.delivery()
    try:
        sender.take("another while the first is worked on", body, headers)
    except Wrong as wrong:
        raise Wrong("LOOP_BLOCKED") if wrong.code == "ANSWER_WAITS_FOR_WORK" else wrong from None
    run.finish()
    sender.worked_on(another, "other").finish()


@pytest.mark.points(2)
def test_a_forged_delivery_is_refused(sender: Sender) -> None:
    """What is not signed with the secret is refused, and not worked on."""
    forgeries: dict[str, Callable[[str, bytes, dict[str, str]], tuple[bytes, dict[str, str]]]] = {
        "another body": lambda _, body, headers: (body.replace(b"completed", b"failed"), headers),
        "another id": lambda _, body, headers: (body, {**headers, "webhook-id": "msg_other"}),
        "another timestamp": lambda _, body, headers: (
            body,
            {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)},
        ),
        "another key": lambda task_id, body, _: (body, signed_headers(new_secret(), f"msg_{task_id}", body)),
        "no signature": lambda _, body, headers: (body, without(headers, "webhook-signature")),
        "no timestamp": lambda _, body, headers: (body, without(headers, "webhook-timestamp")),
        "no id": lambda _, body, headers: (body, without(headers, "webhook-id")),
        "no headers": lambda _, body, __: (body, {}),
    }
    forged = []
    for what, forge in forgeries.items():
        task_id, body, headers = sender.delivery()
        forged.append(task_id)
        sender.refuse(what, *forge(task_id, body, headers), code="FORGED_ACCEPTED")
    task_id, body, headers = sender.delivery()
    sender.take("a genuine one", body, headers)
    sender.worked_on(task_id, "genuine one").finish()
    try:
        sender.refuse("another body, with the id of that one", b"{}", headers, code="FORGED_ACCEPTED")
    except Wrong as wrong:
        wrong.likely = "an id that was taken before is answered before anybody looks at the signature."
        wrong.next_step = "verify first, whatever the id is: whoever asks learns from your answer which ids there are."
        raise
    sender.marker()
    if any(sender.app.agent_control.of(prompt(task_id)) for task_id in forged):
        raise Wrong("FORGED_ACCEPTED", "one of those that were refused is worked on all the same")


def test_a_malformed_delivery_is_refused_without_an_error(sender: Sender) -> None:
    """A signature, a timestamp or a body that makes no sense is refused with a 4xx, not with a 500."""
    for name, value in (
        ("webhook-signature", "nonsense"),
        ("webhook-signature", "v1,not base64!"),
        ("webhook-signature", "v1,"),
        ("webhook-signature", "v1,YWJj,YWJj"),
        ("webhook-signature", "v1,é"),
        ("webhook-timestamp", "yesterday"),
        ("webhook-timestamp", "1e400"),
    ):
        _, body, headers = sender.delivery()
        sender.refuse(f"{name}: {value}", body, {**headers, name: value}, code="FORGED_ACCEPTED")
    *_, headers = sender.delivery()
    sender.refuse("a body that is no text", b"\xff", headers, code="FORGED_ACCEPTED")


def test_a_stale_delivery_is_refused(sender: Sender) -> None:
    """A delivery whose timestamp is ten minutes off is refused, however well it is signed."""
    for what, age in (("signed ten minutes ago", _TEN_MINUTES), ("from ten minutes ahead", -_TEN_MINUTES)):
        _, body, headers = sender.delivery(age)
        sender.refuse(what, body, headers, code="STALE_ACCEPTED")


@pytest.mark.points(2)
def test_a_repeat_is_taken_and_not_worked_on_again(sender: Sender) -> None:
    """A repeat is taken and not worked on, whether at the same moment or long after. Nothing else is a repeat."""
    task_id, body, headers = sender.delivery()
    sender.take("a genuine one", body, headers)
    run = sender.worked_on(task_id, "genuine one")
    sender.repeat("the same delivery again", task_id, body)
    run.finish()
    sender.marker()
    sender.handled_once(task_id, "the repeat")
    sender.repeat("the same delivery again, long after its work is done", task_id, body)
    sender.marker()
    sender.handled_once(
        task_id,
        "the late repeat",
        likely="an id is forgotten when its work is done, or when the next delivery comes.",
        next_step="keep it: a sender whose answer was lost on the way sends it all again, minutes or hours later.",
    )
    sender.take("another delivery, which says the same", body, signed_headers(sender.secret, "msg_another", body))
    if (other := sender.app.agent_control.wait_for(prompt(task_id), sender.app.time_limit, number=2)) is None:
        raise Wrong(
            "CALLBACK_DROPPED",
            "the work on it does not begin",
            likely="what was taken is known by its task_id or its body. Two deliveries may well say the same.",
            next_step="remember the header `webhook-id`: all attempts at one delivery have the same, and no other has.",
        )
    other.finish()
    twin, body, headers = sender.delivery()
    sender.app.timeline.note(f"POST {PATH} (one delivery, five times at the same moment)")
    sender.quietly(body, headers, times=5)
    sender.worked_on(twin, "five").finish()
    sender.marker()
    sender.handled_once(
        twin,
        "the five",
        likely="others have their turn between the look at the ids and the note of this one: an `await` stands there.",
        next_step="look and note without an `await` in between. (In a database: insert it, under a unique key.)",
    )


def test_a_forgery_does_not_keep_the_genuine_one_out(sender: Sender) -> None:
    """An id that a forger has used does not keep the genuine delivery out."""
    task_id, body, headers = sender.delivery()
    forged = signed_headers(new_secret(), f"msg_{task_id}", body)
    sender.refuse("forged, with the id of one that is to come", body, forged, code="FORGED_ACCEPTED")
    sender.take("the genuine one", body, headers)
    sender.worked_on(task_id, "genuine one").finish()


def test_any_of_several_signatures_will_do(sender: Sender) -> None:
    """While keys rotate a delivery has several signatures; one that is right will do."""
    task_id, body, headers = sender.delivery()
    other = signed_headers(new_secret(), f"msg_{task_id}", body)["webhook-signature"]
    both = {**headers, "webhook-signature": f"v2,c29tZXRoaW5nIGVsc2U= {other} {headers['webhook-signature']}"}
    if not 200 <= sender.post("with three signatures, the last of them right", body, both).status < 300:
        raise Wrong(
            "GENUINE_REFUSED",
            likely="only the first signature is looked at, or the header as a whole is compared.",
            next_step="split the header at its spaces, and accept the delivery when any of them is right.",
        )
    sender.worked_on(task_id, "genuine one").finish()


def test_work_that_fails_does_not_stop_the_next(sender: Sender) -> None:
    """Work that fails does not keep the next delivery from being taken and worked on."""
    for _ in range(_FAILURES):
        task_id, body, headers = sender.delivery()
        sender.take("a genuine one", body, headers)
        run = sender.worked_on(task_id, "genuine one")
        run.fail()
        sender.app.timeline.note("the work raises RuntimeError")
    sender.repeat("the same delivery again, whose work has failed", task_id, body)
    sender.marker()
    sender.handled_once(
        task_id,
        "the repeat",
        likely="an id is forgotten when its work fails.",
        next_step="keep it: a repeat says that an answer was lost, and nothing of what the work came to.",
    )


def without(headers: dict[str, str], name: str) -> dict[str, str]:
    return {other: value for other, value in headers.items() if other != name}
