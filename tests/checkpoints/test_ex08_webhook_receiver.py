"""Checkpoint 8: verify, refuse stale deliveries, ignore repeats, respond at once and work later."""

from collections.abc import Callable

import pytest

from tests.checkpoints.engine.actors.environment import CheckEnvironment
from tests.checkpoints.engine.diagnosis.failures import NotFromOutside, Wrong
from tests.checkpoints.engine.webhooks.sender import PATH, Sender, prompt
from tests.checkpoints.engine.webhooks.signing import new_secret, signed_headers

_TEN_MINUTES = 600
#: More failures than an app has worker threads that end with the first exception.
_FAILURES = 9
_OTHER_OUTCOMES: dict[str, dict[str, object]] = {
    "the task failed": {"status": "failed", "error": "Das Modell antwortet nicht."},
    "the task was cancelled": {"status": "cancelled"},
}


@pytest.fixture
def sender(environment: CheckEnvironment) -> Sender:
    """The sender of the callbacks, with the learner's endpoint started and ready."""
    if environment.url:
        raise NotFromOutside("this check needs the receiver's secret and the kit's agent")
    secret = new_secret()
    return Sender(environment.serve("receiver", WEBHOOK_SECRET=secret), secret)


@pytest.mark.points(2)
def test_a_genuine_delivery_is_accepted_and_worked_on(sender: Sender) -> None:
    """A genuine delivery is accepted, byte for byte, and worked on once, whatever its outcome."""
    for what, name in (("a genuine delivery", "it"), ("another genuine delivery", "the other one")):
        task_id, body, headers = sender.delivery()
        sender.take(what, body, headers)
        sender.worked_on(task_id, name).finish()
    for what, outcome in _OTHER_OUTCOMES.items():
        task_id, body, headers = sender.delivery(instead={"result": None, "progress": 40, **outcome})
        sender.take(f"a genuine delivery: {what}", body, headers)
        sender.worked_on(
            task_id,
            "it",
            likely="only callbacks with the status completed are worked on, so no other outcome is ever handled.",
            next_step="start `work` for every callback that is genuine and new, and handle its status there.",
        ).finish()
    task_id, body, headers = sender.delivery(age=120)
    sender.take("a genuine delivery, two minutes old", body, headers)
    sender.worked_on(task_id, "it").finish()


@pytest.mark.points(2)
def test_the_response_does_not_wait_for_the_work(sender: Sender) -> None:
    """The response is sent before the work is done, and so is the response to the next delivery."""
    task_id, body, headers = sender.delivery()
    sender.take("a genuine delivery", body, headers)
    run = sender.worked_on(task_id, "it")
    another, body, headers = sender.delivery()
    try:
        sender.take("another one, during the work on the first", body, headers)
    except Wrong as wrong:
        raise Wrong("LOOP_BLOCKED") if wrong.code == "ANSWER_WAITS_FOR_WORK" else wrong from None
    run.finish()
    sender.worked_on(another, "the other one").finish()


@pytest.mark.points(2)
def test_a_forged_delivery_is_refused(sender: Sender) -> None:
    """A delivery that is not signed with the secret is refused, and not worked on."""
    forgeries: dict[str, Callable[[str, bytes, dict[str, str]], tuple[bytes, dict[str, str]]]] = {
        "a changed body": lambda _, body, headers: (body.replace(b"completed", b"failed"), headers),
        "a changed id": lambda _, body, headers: (body, {**headers, "webhook-id": "msg_other"}),
        "a changed timestamp": lambda _, body, headers: (
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
    sender.take("a genuine delivery", body, headers)
    sender.worked_on(task_id, "it").finish()
    try:
        sender.refuse("a changed body, with the id of the genuine delivery", b"{}", headers, code="FORGED_ACCEPTED")
    except Wrong as wrong:
        wrong.likely = "a known id gets its response before the signature is verified."
        wrong.next_step = "verify first, whatever the id: otherwise your response reveals which ids exist."
        raise
    sender.marker()
    if any(sender.app.agent_control.of(prompt(task_id)) for task_id in forged):
        raise Wrong("FORGED_ACCEPTED", "a refused delivery is worked on all the same")


def test_a_malformed_delivery_is_refused_without_an_error(sender: Sender) -> None:
    """A malformed signature, timestamp or body is refused with a 4xx, not with a 500."""
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
    sender.refuse("a body that is not UTF-8", b"\xff", headers, code="FORGED_ACCEPTED")


def test_a_stale_delivery_is_refused(sender: Sender) -> None:
    """A delivery whose timestamp is ten minutes off is refused, even with a valid signature."""
    for what, age in (("signed ten minutes ago", _TEN_MINUTES), ("signed ten minutes in the future", -_TEN_MINUTES)):
        _, body, headers = sender.delivery(age)
        sender.refuse(what, body, headers, code="STALE_ACCEPTED")


@pytest.mark.points(2)
def test_a_repeat_is_accepted_and_not_worked_on_again(sender: Sender) -> None:
    """A delivery with a known id is accepted but not worked on again, at once or long after."""
    task_id, body, headers = sender.delivery()
    sender.take("a genuine delivery", body, headers)
    run = sender.worked_on(task_id, "it")
    sender.repeat("the same delivery again", task_id, body)
    run.finish()
    sender.marker()
    sender.handled_once(task_id)
    sender.repeat("the same delivery again, after its work is done", task_id, body)
    sender.marker()
    sender.handled_once(
        task_id,
        likely="an id is removed when its work is done, or when the next delivery arrives.",
        next_step="keep the id: if your response is lost, the sender retries minutes or hours later.",
    )
    sender.take("another delivery, with the same body", body, signed_headers(sender.secret, "msg_another", body))
    if (other := sender.app.agent_control.wait_for(prompt(task_id), sender.app.time_limit, number=2)) is None:
        raise Wrong(
            "CALLBACK_DROPPED",
            "the work on it does not start",
            likely="a repeat is detected by its task_id or its body, but two deliveries may have the same.",
            next_step="remember the header `webhook-id`: only the attempts of one delivery share it.",
        )
    other.finish()
    twin, body, headers = sender.delivery()
    sender.app.timeline.note(f"POST {PATH} (one delivery, five times at once)")
    sender.quietly(body, headers, times=5)
    sender.worked_on(twin, "it").finish()
    sender.marker()
    sender.handled_once(
        twin,
        likely="another request runs between the lookup of the id and storing it: there is an `await` in between.",
        next_step="look up and store the id without an `await` in between. (In a database: insert under a unique key.)",
    )


def test_a_forged_delivery_does_not_block_the_genuine_one(sender: Sender) -> None:
    """A forged delivery does not block the genuine one with the same id."""
    task_id, body, headers = sender.delivery()
    forged = signed_headers(new_secret(), f"msg_{task_id}", body)
    sender.refuse("a forged delivery", body, forged, code="FORGED_ACCEPTED")
    sender.take("the genuine delivery with the same id", body, headers)
    sender.worked_on(task_id, "it").finish()


def test_one_valid_signature_is_enough(sender: Sender) -> None:
    """During a key rotation a delivery has several signatures; one valid signature is enough."""
    task_id, body, headers = sender.delivery()
    other = signed_headers(new_secret(), f"msg_{task_id}", body)["webhook-signature"]
    both = {**headers, "webhook-signature": f"v2,c29tZXRoaW5nIGVsc2U= {other} {headers['webhook-signature']}"}
    if not 200 <= sender.post("three signatures, the last one valid", body, both).status < 300:
        raise Wrong(
            "GENUINE_REFUSED",
            likely="only the first signature is compared, or the whole header.",
            next_step="split the header at spaces, and accept the delivery if any signature is valid.",
        )
    sender.worked_on(task_id, "it").finish()


def test_failed_work_does_not_affect_the_next_delivery(sender: Sender) -> None:
    """After work that failed, the next delivery is still accepted and worked on."""
    for _ in range(_FAILURES):
        task_id, body, headers = sender.delivery()
        sender.take("a genuine delivery", body, headers)
        run = sender.worked_on(task_id, "it")
        run.fail()
        sender.app.timeline.note("the work raises RuntimeError")
    sender.repeat("the last delivery again, after its work failed", task_id, body)
    sender.marker()
    sender.handled_once(
        task_id,
        likely="an id is removed when its work fails.",
        next_step="keep the id: a repeat means that a response was lost, not that the work failed.",
    )


def without(headers: dict[str, str], name: str) -> dict[str, str]:
    return {other: value for other, value in headers.items() if other != name}
