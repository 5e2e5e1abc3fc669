"""Callback URLs of the server's own machine, in every notation: a server with default settings never calls one."""

import socket
from collections.abc import Iterator

import pytest

from tests.support.serving import Served
from tests.support.tripwire import Tripwire
from tests.webhooks.hostile_urls import HOSTILE, at


@pytest.fixture(scope="module")
def tripwire() -> Iterator[Tripwire]:
    with Tripwire() as tripwire:
        yield tripwire


def test_there_are_many_of_them_and_no_two_are_the_same() -> None:
    assert len(HOSTILE) == len(set(HOSTILE)) > 100


def test_the_tripwire_notices_a_visitor(tripwire: Tripwire) -> None:
    with socket.create_connection(("127.0.0.1", tripwire.port)):
        assert len(tripwire.visitors()) == 1
    assert tripwire.visitors() == []


@pytest.mark.parametrize("url", HOSTILE, ids=ascii)
def test_a_hostile_url_is_refused_at_submit_and_never_called(guarded: Served, tripwire: Tripwire, url: str) -> None:
    answer = guarded.submit(callback_url=at(url, tripwire.port))

    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"].startswith("body.callback_url: ")
    assert tripwire.visitors() == []


def test_a_name_that_resolves_to_this_machine_ends_as_a_dead_letter_and_is_never_called(
    guarded: Served, tripwire: Tripwire
) -> None:
    answer = guarded.submit(callback_url=f"http://{socket.gethostname()}:{tripwire.port}/")
    assert answer.status_code == 202, answer.text
    task_id = answer.json()["task_id"]

    dead = guarded.until_delivery(task_id, "dead")

    assert [attempt["status_code"] for attempt in dead["attempts"]] == [None]
    assert task_id in guarded.dead_letters()
    assert tripwire.visitors() == []


def test_a_dead_letter_sent_again_is_checked_again(guarded: Served, tripwire: Tripwire) -> None:
    task_id = guarded.submit(callback_url=f"http://{socket.gethostname()}:{tripwire.port}/").json()["task_id"]
    guarded.until_delivery(task_id, "dead")

    guarded.http.post(f"/agent/redeliver/{task_id}")
    dead = guarded.until_delivery(task_id, "dead")

    assert len(dead["attempts"]) == 2
    assert tripwire.visitors() == []
