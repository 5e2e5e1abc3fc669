"""Without `Retry-After` the client's pauses grow, with jitter, up to a bound."""

import random
from itertools import pairwise

from patterns.contract.backoff import full_jitter
from patterns.polling import PollingClient
from tests.support.answers import STATUS, SUBMIT, accepted, completed, problem, running
from tests.support.scripted_server import Script

_FIRST, _LONGEST, _SEED = 0.004, 0.1, 5


def _planned(pauses: int) -> list[float]:
    """The pauses that the client will make with this seed, if each is drawn for its own attempt."""
    random.seed(_SEED)
    return [full_jitter(attempt, _FIRST, _LONGEST) for attempt in range(pauses)]


async def _run(script: Script) -> None:
    random.seed(_SEED)
    async with PollingClient(script.url, deadline=30, first_pause=_FIRST, longest_pause=_LONGEST) as client:
        await client.run("compare")


async def test_each_poll_waits_longer_on_average_than_the_one_before(script: Script) -> None:
    script.on(SUBMIT, accepted()).on(STATUS, *[running()] * 7, completed())

    await _run(script)

    times = [*script.times(SUBMIT), *script.times(STATUS)]
    planned = _planned(8)
    assert max(planned) > 10 * _FIRST, "these pauses would not show growth"
    for (asked, again), pause in zip(pairwise(times), planned, strict=True):
        assert again - asked >= pause


async def test_each_retry_of_a_submit_waits_longer_on_average_than_the_one_before(script: Script) -> None:
    script.on(SUBMIT, *[problem(503)] * 7, accepted()).on(STATUS, completed())

    await _run(script)

    times = script.times(SUBMIT)
    for (asked, again), pause in zip(pairwise(times), _planned(7), strict=True):
        assert again - asked >= pause


async def test_a_server_that_says_retry_after_0_is_not_hammered(script: Script) -> None:
    script.on(SUBMIT, accepted(retry_after="0")).on(STATUS, *[running(retry_after="0")] * 7, completed())

    await _run(script)

    times = [*script.times(SUBMIT), *script.times(STATUS)]
    for (asked, again), pause in zip(pairwise(times), _planned(8), strict=True):
        assert again - asked >= pause
