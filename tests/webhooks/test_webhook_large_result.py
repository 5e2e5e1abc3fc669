"""A callback stays under 20 kB. A result that is longer is fetched."""

from tests.support.scripted_server import Script
from tests.support.serving import Served
from tests.webhooks.callbacks import HOOK, TAKEN, submit, until_delivery, url_of, verified


def test_a_long_result_is_left_out_and_is_where_the_callback_says(patient: Served, script: Script) -> None:
    task_id = submit(patient, url_of(script.on(HOOK, TAKEN)), "word *5000")
    until_delivery(patient, task_id, "delivered")

    [request] = script.seen(HOOK)
    callback = verified(request)

    assert len(request.body) < 20_000
    assert (callback["status"], callback["result"]) == ("completed", None)
    assert patient.http.get(callback["result_at"]).json()["result"] == "word " * 5000


def test_a_result_that_fits_comes_with_the_callback(patient: Served, script: Script) -> None:
    task_id = submit(patient, url_of(script.on(HOOK, TAKEN)), "word *3900")
    until_delivery(patient, task_id, "delivered")

    [request] = script.seen(HOOK)
    callback = verified(request)

    assert len(request.body) < 20_000
    assert (callback["result"], callback["result_at"]) == ("word " * 3900, None)


def test_it_is_bytes_that_count_not_characters(patient: Served, script: Script) -> None:
    task_id = submit(patient, url_of(script.on(HOOK, TAKEN)), "ä*12000")
    until_delivery(patient, task_id, "delivered")

    [request] = script.seen(HOOK)

    assert len(request.body) < 20_000
    assert verified(request)["result_at"] == f"/agent/status/{task_id}"
