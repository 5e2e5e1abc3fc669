"""The message of a task: what its agent is doing, as it last reported."""

import json

import pytest

from tests.contract.agents import REPORTS
from tests.support.serving import Json, Served
from tests.support.waiting import eventually

#: The last report of each test. The agent makes some more, without a message.
_LAST = 90


def reported(served: Served, *reports: tuple[int, str] | tuple[int]) -> Json:
    """The task, when its agent has made these reports."""
    task_id = served.accept(REPORTS + json.dumps([*reports, (_LAST,)]))
    return eventually(lambda: served.task(task_id), lambda task: task["progress"] == _LAST)


def test_a_waiting_task_has_no_message(small: Served) -> None:
    first, second = small.accept("first"), small.accept("second")
    small.until(first, "running")

    assert small.submit("third").json()["message"] is None
    assert small.task(second)["message"] is None


def test_a_running_task_shows_its_message(small: Served) -> None:
    task = reported(small, (30, "reading page 3"))

    assert (task["status"], task["message"]) == ("running", "reading page 3")


def test_the_message_is_null_until_the_agent_reports_one(small: Served) -> None:
    assert reported(small, (10,), (20, ""))["message"] is None


def test_a_report_without_a_message_keeps_the_last_one(small: Served) -> None:
    task = reported(small, (10, "page 1"), (20, "page 2"), (30,))
    assert task["message"] == "page 2"

    later = [small.task(task["task_id"])["message"] for _ in range(5)]

    assert later == ["page 2"] * 5


def test_a_long_message_is_cut(small: Served) -> None:
    assert reported(small, (10, "é" * 5000))["message"] == "é" * 200


def test_control_characters_are_replaced(small: Served) -> None:
    assert reported(small, (10, "two\nlines,\ta \x1b[31mcolour\x00 \ud800"))["message"] == "two lines, a  [31mcolour"


def test_the_message_stays_when_the_task_is_cancelled(small: Served) -> None:
    task = reported(small, (30, "reading page 3"))

    assert small.cancel(task["task_id"]).json()["message"] == "reading page 3"


@pytest.mark.parametrize(("prompt", "steps"), [("compare the vendors", 5), ("fail: on purpose", 2)])
def test_the_message_stays_after_the_outcome(quick: Served, prompt: str, steps: int) -> None:
    assert quick.outcome(quick.accept(prompt))["message"] == f"finished step {steps} of 5"
