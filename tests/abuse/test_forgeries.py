"""Forged deliveries: every byte is protected, and a header full of guesses does not help."""

import json

import pytest

from patterns.contract.settings import new_webhook_secret
from patterns.receiver import Receiver, Refused
from tests.support.answers import task
from tests.webhooks.test_receiver import signed

_SECRET = new_webhook_secret()
_BODY = json.dumps(task("completed", 100, result="The answer.")).encode()


def genuine() -> dict[str, str]:
    """The headers of a delivery that the receiver would accept."""
    return signed(_BODY, secrets=(_SECRET,))


def refused(receiver: Receiver, headers: dict[str, str], body: bytes = _BODY) -> bool:
    """Whether a receiver refuses this."""
    try:
        receiver.accept(headers, body)
    except Refused:
        return True
    return False


def test_a_body_with_one_bit_changed_is_refused_wherever_it_is() -> None:
    receiver, headers = Receiver(_SECRET), genuine()
    for place in range(len(_BODY)):
        changed = bytearray(_BODY)
        changed[place] ^= 1
        assert refused(receiver, headers, bytes(changed)), f"byte {place}"

    for body in (_BODY[:-1], _BODY[1:], _BODY + b" ", _BODY + b"\x00", b" " + _BODY, b"\xef\xbb\xbf" + _BODY, b""):
        assert refused(receiver, headers, body)
    assert receiver.accept(headers, _BODY) is not None


@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp"])
def test_what_is_signed_with_the_body_cannot_be_changed_either(header: str) -> None:
    receiver, headers = Receiver(_SECRET), genuine()
    value = headers[header]
    for other in (value + "0", value[:-1], value.replace("1", "2"), "1" + value, value + "\x00", f"{value} {value}"):
        assert refused(receiver, {**headers, header: other}), other
    assert receiver.accept(headers, _BODY) is not None


def test_the_parts_cannot_be_moved_across_the_dots_between_them() -> None:
    """`id.timestamp.body` is signed: an id with a dot in it must not say the same."""
    receiver, headers = Receiver(_SECRET), genuine()
    stamp = headers["webhook-timestamp"]

    assert refused(receiver, {**headers, "webhook-id": f"{headers['webhook-id']}.{stamp}"})
    assert refused(receiver, headers, f"{stamp}.".encode() + _BODY)
    assert refused(receiver, {**headers, "webhook-id": ""}, f"{headers['webhook-id']}.{stamp}.".encode() + _BODY)


def test_a_signature_with_one_character_changed_is_refused_wherever_it_is() -> None:
    receiver, headers = Receiver(_SECRET), genuine()
    signature = headers["webhook-signature"]
    for place in range(len(signature) - 2):  # the last character before the `=` says less than six bits
        other = "A" if signature[place] != "A" else "B"
        forged = signature[:place] + other + signature[place + 1 :]
        assert refused(receiver, {**headers, "webhook-signature": forged}), f"character {place}"
    assert receiver.accept(headers, _BODY) is not None


def test_among_forged_signatures_the_genuine_one_counts_and_without_it_none_does() -> None:
    forged = [signed(_BODY, secrets=(new_webhook_secret(),))["webhook-signature"] for _ in range(3)]
    headers = genuine()

    assert refused(Receiver(_SECRET), {**headers, "webhook-signature": " ".join(forged)})
    among = " ".join([*forged, headers["webhook-signature"], *forged])
    assert Receiver(_SECRET).accept({**headers, "webhook-signature": among}, _BODY) is not None


def test_a_header_of_ten_thousand_guesses_is_refused() -> None:
    guesses = " ".join(["v1," + "A" * 43 + "="] * 10_000)

    assert refused(Receiver(_SECRET), {**genuine(), "webhook-signature": guesses})


def test_a_replay_is_dropped_a_thousand_times_and_under_another_id_refused() -> None:
    receiver, headers = Receiver(_SECRET), genuine()
    assert receiver.accept(headers, _BODY) is not None

    assert [receiver.accept(headers, _BODY) for _ in range(1000)] == [None] * 1000
    assert refused(receiver, {**headers, "webhook-id": "msg_2"})


def test_a_genuine_delivery_cannot_be_replayed_once_its_time_has_passed() -> None:
    """Also to a receiver that was restarted in between, and remembers nothing."""
    old, ahead = signed(_BODY, secrets=(_SECRET,), age=400), signed(_BODY, secrets=(_SECRET,), age=-400)
    receiver = Receiver(_SECRET)

    assert refused(receiver, old)
    assert refused(receiver, ahead)
    assert refused(receiver, {**old, "webhook-timestamp": genuine()["webhook-timestamp"]})
