"""The receiving end: a genuine, fresh and new delivery is accepted, a repeat is dropped, the rest is refused."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook
from starlette.datastructures import Headers

from patterns.contract.settings import new_webhook_secret
from patterns.receiver import Receiver, Refused
from tests.support.answers import task

_SECRET, _OTHER = new_webhook_secret(), new_webhook_secret()
_BODY = json.dumps(task("completed", 100, result="The answer.")).encode()


def signed(
    body: bytes = _BODY, *, secrets: tuple[str, ...] = (_SECRET,), age: float = 0, webhook_id: str = "msg_1"
) -> dict[str, str]:
    """The headers of a delivery that was signed `age` seconds ago."""
    at = datetime.now(UTC) - timedelta(seconds=age)
    signatures = [Webhook(secret).sign(webhook_id, at, body.decode()) for secret in secrets]
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def refuses(headers: Mapping[str, str], body: bytes = _BODY) -> None:
    """A receiver refuses this, and goes on taking what is genuine."""
    receiver = Receiver(_SECRET)
    with pytest.raises(Refused):
        receiver.accept(headers, body)
    assert receiver.accept(signed(), _BODY) is not None


def test_without_a_secret_there_is_no_receiver() -> None:
    with pytest.raises(ValueError, match="secret"):
        Receiver()


def test_a_genuine_delivery_is_accepted() -> None:
    callback = Receiver(_SECRET).accept(signed(), _BODY)

    assert callback is not None
    assert (callback.task_id, callback.status, callback.result) == ("1", "completed", "The answer.")


def test_header_names_may_be_written_in_any_case() -> None:
    shouted = {name.upper(): value for name, value in signed().items()}

    assert Receiver(_SECRET).accept(shouted, _BODY) is not None
    assert Receiver(_SECRET).accept(Headers(shouted), _BODY) is not None


def test_another_secret_is_refused() -> None:
    refuses(signed(secrets=(_OTHER,)))


def test_another_body_is_refused() -> None:
    refuses(signed(), _BODY.replace(b"The answer.", b"Another one."))


@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_refused(header: str) -> None:
    refuses({name: value for name, value in signed().items() if name != header})


@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_an_empty_header_is_refused(header: str) -> None:
    refuses({**signed(), header: ""})


def test_a_delivery_under_another_id_is_refused() -> None:
    refuses({**signed(), "webhook-id": "msg_2"})


_NO_SIGNATURES = (
    "x",
    "v1",
    "v1,",
    ",",
    " ",
    "v1,!",
    "v1,A",
    "v1,\xe4",
    "v1,A,B",
    "v2,AAAA",
    "v1,\x00",
    "v1," + "A" * 44,
)
_NO_TIMESTAMPS = ("x", "nan", "inf", "-1", "0", "1e400", "9" * 400, "2026-11-23T00:00:00Z")


@pytest.mark.parametrize("signature", _NO_SIGNATURES)
def test_garbage_in_the_place_of_a_signature_is_refused(signature: str) -> None:
    refuses({**signed(), "webhook-signature": signature})


@pytest.mark.parametrize("timestamp", _NO_TIMESTAMPS)
def test_garbage_in_the_place_of_a_timestamp_is_refused(timestamp: str) -> None:
    refuses({**signed(), "webhook-timestamp": timestamp})


def test_a_body_that_is_no_text_is_refused() -> None:
    refuses(signed(), b"\xff\xfe\x00")


@pytest.mark.parametrize("age", [301, 3600, -302, -3600])
def test_a_delivery_from_more_than_five_minutes_ago_or_ahead_is_refused(age: float) -> None:
    refuses(signed(age=age))


@pytest.mark.parametrize("age", [280, -280])
def test_a_delivery_from_less_than_five_minutes_ago_or_ahead_is_accepted(age: float) -> None:
    assert Receiver(_SECRET).accept(signed(age=age), _BODY) is not None


def test_a_repeated_delivery_is_dropped() -> None:
    receiver, headers = Receiver(_SECRET), signed()

    assert receiver.accept(headers, _BODY) is not None
    assert receiver.accept(headers, _BODY) is None
    assert receiver.accept(signed(age=-30), _BODY) is None, "a later attempt has another signature and the same id"
    assert receiver.accept(signed(webhook_id="msg_2"), _BODY) is not None


def test_a_delivery_that_was_given_back_is_taken_again() -> None:
    receiver, headers = Receiver(_SECRET), signed()
    receiver.accept(headers, _BODY)

    receiver.forget({name.title(): value for name, value in headers.items()})

    assert receiver.accept(headers, _BODY) is not None


def test_giving_back_what_was_never_taken_does_nothing() -> None:
    receiver = Receiver(_SECRET)

    receiver.forget({})
    receiver.forget(signed())

    assert receiver.accept(signed(), _BODY) is not None


def test_a_refused_delivery_does_not_make_the_genuine_one_a_repeat() -> None:
    receiver = Receiver(_SECRET)
    with pytest.raises(Refused):
        receiver.accept(signed(secrets=(_OTHER,)), _BODY)

    assert receiver.accept(signed(), _BODY) is not None


def test_of_many_ids_the_oldest_are_forgotten() -> None:
    receiver = Receiver(_SECRET, remember=2)
    for number in (1, 2, 3):
        receiver.accept(signed(webhook_id=f"msg_{number}"), _BODY)

    assert receiver.accept(signed(webhook_id="msg_3"), _BODY) is None
    assert receiver.accept(signed(webhook_id="msg_2"), _BODY) is None
    assert receiver.accept(signed(webhook_id="msg_1"), _BODY) is not None


def test_while_keys_rotate_a_receiver_with_both_accepts_either() -> None:
    receiver = Receiver(_SECRET, _OTHER)

    assert receiver.accept(signed(secrets=(_SECRET,), webhook_id="msg_1"), _BODY) is not None
    assert receiver.accept(signed(secrets=(_OTHER,), webhook_id="msg_2"), _BODY) is not None
    with pytest.raises(Refused):
        receiver.accept(signed(secrets=(new_webhook_secret(),), webhook_id="msg_3"), _BODY)


def test_while_keys_rotate_a_delivery_signed_with_both_is_accepted_with_either() -> None:
    headers = signed(secrets=(_OTHER, _SECRET))

    assert Receiver(_SECRET).accept(headers, _BODY) is not None
    assert Receiver(_OTHER).accept(headers, _BODY) is not None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"not JSON",
        b'{"task_id": "1"}',
        b'"completed"',
        pytest.param(json.dumps(task("done")).encode(), id="another status"),
    ],
)
def test_a_signed_body_that_is_no_task_is_refused(body: bytes) -> None:
    refuses(signed(body), body)


@pytest.mark.parametrize("status", ["pending", "running"])
def test_a_signed_task_that_is_not_finished_is_refused(status: str) -> None:
    body = json.dumps(task(status)).encode()

    refuses(signed(body), body)


def test_a_later_version_may_say_more() -> None:
    body: Any = json.dumps(task("completed", 100, cost="0.02 USD")).encode()

    assert Receiver(_SECRET).accept(signed(body), body) is not None


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!", "whsec_AAAA-AAAA", "\xe4"])
def test_a_secret_that_is_none_is_refused_at_the_start(secret: str) -> None:
    with pytest.raises(ValueError, match="whsec_"):
        Receiver(secret)
