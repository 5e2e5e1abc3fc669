"""The client obeys `Retry-After`, and does not come back earlier."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from patterns.contract import Task
from patterns.polling import PollingClient
from tests.support.answers import STATUS, SUBMIT, accepted, completed, problem, running
from tests.support.scripted_server import Script

#: The header has whole seconds only, and a wall clock and a monotonic clock may differ by this much.
_CLOCKS = 0.02


async def test_it_waits_as_many_seconds_or_until_the_date_that_any_answer_says(
    new_script: Callable[[], Script],
) -> None:
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    not_before = time.monotonic() + (due - datetime.now(UTC)).total_seconds() - _CLOCKS

    def come_back(when: str) -> list[Script]:
        return [
            new_script().on(SUBMIT, accepted(retry_after=when)).on(STATUS, completed()),
            new_script().on(SUBMIT, accepted()).on(STATUS, running(retry_after=when), completed()),
            new_script().on(SUBMIT, problem(503, retry_after=when), accepted()).on(STATUS, completed()),
            new_script().on(SUBMIT, accepted()).on(STATUS, problem(503, retry_after=when), completed()),
        ]

    def came_back(submitted: Script, polled: Script, refused: Script, asked_again: Script) -> list[tuple[float, float]]:
        """When each client got the header, and when it came back."""
        return [
            (submitted.times(SUBMIT)[0], submitted.times(STATUS)[0]),
            (polled.times(STATUS)[0], polled.times(STATUS)[1]),
            (refused.times(SUBMIT)[0], refused.times(SUBMIT)[1]),
            (asked_again.times(STATUS)[0], asked_again.times(STATUS)[1]),
        ]

    by_seconds, by_date = come_back("1"), come_back(format_datetime(due, usegmt=True))
    await asyncio.gather(*(_run(script) for script in (*by_seconds, *by_date)))

    assert all(back - at >= 1 for at, back in came_back(*by_seconds))
    assert all(back >= not_before for _, back in came_back(*by_date))


async def test_a_date_in_the_past_and_an_invalid_header_cost_no_more_than_a_pause(script: Script) -> None:
    past = "Wed, 21 Oct 2015 07:28:00 GMT"
    hostile = "1 Jan 20 0:0:0 3399999999999"
    script.on(SUBMIT, accepted(retry_after=past)).on(
        STATUS, running(retry_after="soon"), running(retry_after=hostile), running(retry_after="-5"), completed()
    )

    assert (await _run(script)).status == "completed"


async def _run(script: Script) -> Task:
    async with PollingClient(script.url, deadline=30, first_pause=0.01, longest_pause=0.05) as client:
        return await client.run("compare")
