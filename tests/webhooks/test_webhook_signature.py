"""Every attempt is signed as Standard Webhooks requires, and anyone with the key can verify it."""

import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.responses import Response

from patterns.contract.settings import new_webhook_secret
from patterns.receiver import Receiver, Refused
from tests.support.callback_receiver import ACKNOWLEDGED, CallbackReceiver
from tests.support.serving import Served
from tests.webhooks.signing import SECRET, verified


def test_a_delivery_verifies_with_the_reference_library_and_with_our_receiver(
    webhook: Served, receiver: CallbackReceiver
) -> None:
    task_id = webhook.accept(callback_url=receiver.url)
    [request] = receiver.until_seen()

    callback = Receiver(SECRET).accept(request.headers, request.body)

    assert verified(request)["task_id"] == task_id
    assert callback is not None
    assert (callback.task_id, callback.status) == (task_id, "completed")
    assert request.headers["content-type"] == "application/json"


def test_a_delivery_does_not_verify_with_another_key_or_another_body(
    webhook: Served, receiver: CallbackReceiver
) -> None:
    webhook.accept(callback_url=receiver.url)
    [request] = receiver.until_seen()
    other, changed = new_webhook_secret(), request.body.replace(b"completed", b"cancelled")

    for secret, body in ((other, request.body), (SECRET, changed)):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, dict(request.headers))
        with pytest.raises(Refused):
            Receiver(secret).accept(request.headers, body)


def test_every_attempt_has_the_same_id_a_fresh_timestamp_and_a_signature_of_its_own(
    webhook: Served, receiver: CallbackReceiver
) -> None:
    # A timestamp has whole seconds, so the receiver asks for a second between the attempts.
    receiver.answers(Response(status_code=503, headers={"retry-after": "1"}), ACKNOWLEDGED)
    began = int(time.time())

    webhook.until_delivery(webhook.accept(callback_url=receiver.url))

    requests = receiver.seen()
    assert len(requests) == 2
    for request in requests:
        verified(request)
    assert len({request.headers["webhook-id"] for request in requests}) == 1
    assert len({request.body for request in requests}) == 1
    assert len({request.headers["webhook-signature"] for request in requests}) == 2
    timestamps = [int(request.headers["webhook-timestamp"]) for request in requests]
    assert began <= timestamps[0] < timestamps[1] <= time.time()


def test_two_tasks_have_two_ids(webhook: Served, receiver: CallbackReceiver) -> None:
    for _ in range(2):
        webhook.accept(callback_url=receiver.url)

    assert len({request.headers["webhook-id"] for request in receiver.until_seen(2)}) == 2


def test_a_delivery_sent_a_second_time_is_dropped_by_our_receiver(webhook: Served, receiver: CallbackReceiver) -> None:
    verifier = Receiver(SECRET)
    receiver.answers(Response(status_code=500), ACKNOWLEDGED)
    webhook.until_delivery(webhook.accept(callback_url=receiver.url))

    first, second = (verifier.accept(request.headers, request.body) for request in receiver.seen())

    assert first is not None
    assert second is None
