"""A callback stays under 20 kB. A result that is longer is fetched."""

from tests.support.callback_receiver import CallbackReceiver
from tests.support.serving import Served
from tests.webhooks.signing import verified


def test_a_long_result_is_left_out_and_can_be_fetched_where_the_callback_says(
    patient: Served, receiver: CallbackReceiver
) -> None:
    task_id = patient.accept("word *5000", callback_url=receiver.url)
    patient.until_delivery(task_id)

    [request] = receiver.seen()
    callback = verified(request)

    assert len(request.body) < 20_000
    assert (callback["status"], callback["result"]) == ("completed", None)
    assert patient.http.get(callback["result_at"]).json()["result"] == "word " * 5000


def test_a_result_that_fits_comes_with_the_callback(patient: Served, receiver: CallbackReceiver) -> None:
    task_id = patient.accept("word *3900", callback_url=receiver.url)
    patient.until_delivery(task_id)

    [request] = receiver.seen()
    callback = verified(request)

    assert len(request.body) < 20_000
    assert (callback["result"], callback["result_at"]) == ("word " * 3900, None)


def test_the_limit_counts_bytes_not_characters(patient: Served, receiver: CallbackReceiver) -> None:
    task_id = patient.accept("ä*12000", callback_url=receiver.url)
    patient.until_delivery(task_id)

    [request] = receiver.seen()

    assert len(request.body) < 20_000
    assert verified(request)["result_at"] == f"/agent/status/{task_id}"
