"""The record exists before the answer to submit leaves."""

from tests.support.serving import Served
from tests.support.waiting import at_once


def test_a_status_request_right_after_submit_never_gives_404(quick: Served) -> None:
    with quick.connect() as other_connection:
        for number in range(50):
            task_id = quick.accept(f"prompt {number}")

            status = other_connection.get(f"/agent/status/{task_id}")

            assert status.status_code == 200
            assert status.json()["task_id"] == task_id


def test_not_even_when_many_submit_at_once(quick: Served) -> None:
    def submit_and_ask(number: int) -> int:
        task_id = quick.accept(f"prompt {number}")
        with quick.connect() as other_connection:
            return other_connection.get(f"/agent/status/{task_id}").status_code

    assert at_once(20, submit_and_ask) == [200] * 20
