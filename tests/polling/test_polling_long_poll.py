"""The client asks the server to hold its answer, and adapts if the server does not."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest
from starlette.responses import Response

from patterns.polling import DeadlineExceeded, PollingClient
from tests.support.answers import STATUS, SUBMIT, accepted, completed, running
from tests.support.scripted_server import Script, Seen

#: A client that made its own pause, of up to this many seconds, would not finish in time.
_NO_PAUSE = 36_000.0


def held(seconds: float, answer: Response) -> Callable[[Seen], Awaitable[Response]]:
    """Answer after a while, like a server that holds its answer."""

    async def hold(seen: Seen) -> Response:
        await asyncio.sleep(seconds)
        return answer

    return hold


async def test_it_asks_the_server_to_hold_the_answer_for_the_configured_seconds(script: Script) -> None:
    script.on(SUBMIT, accepted()).on(STATUS, completed())

    await PollingClient(script.url, deadline=20, hold=7, first_pause=0.01).run("compare")

    assert script.seen(STATUS)[0].headers["prefer"] == "wait=7"


async def test_after_a_held_answer_it_asks_again_immediately(new_script: Callable[[], Script]) -> None:
    as_asked = new_script().on(SUBMIT, accepted(retry_after="1"))
    as_asked.on(STATUS, held(0.6, running(preference_applied="wait=1")), completed())
    for_less = new_script().on(SUBMIT, accepted(retry_after="1"))
    for_less.on(STATUS, held(0.6, running(preference_applied="wait=1", retry_after="0")), completed())

    await asyncio.gather(
        *(
            PollingClient(script.url, deadline=60, hold=hold, first_pause=_NO_PAUSE, longest_pause=_NO_PAUSE).run("x")
            for script, hold in ((as_asked, 1), (for_less, 20))
        )
    )

    assert (as_asked.count(STATUS), for_less.count(STATUS)) == (2, 2)


async def test_if_the_server_does_not_hold_it_waits_for_retry_after(new_script: Callable[[], Script]) -> None:
    silent = new_script().on(SUBMIT, accepted()).on(STATUS, running(retry_after="1"), completed())
    only_claims = new_script().on(SUBMIT, accepted())
    only_claims.on(STATUS, running(retry_after="1", preference_applied="wait=20"), completed())

    await asyncio.gather(
        *(PollingClient(script.url, deadline=60, first_pause=0.01).run("compare") for script in (silent, only_claims))
    )

    for script in (silent, only_claims):
        times = script.times(STATUS)
        assert all(again - asked >= 1 for asked, again in pairwise(times))


async def test_a_server_that_only_claims_to_hold_is_not_hammered(new_script: Callable[[], Script]) -> None:
    async def count_polls(applied: str) -> int:
        script = new_script().on(SUBMIT, accepted(retry_after="0"))
        script.on(STATUS, running(retry_after="0", preference_applied=applied))
        async with PollingClient(script.url, deadline=0.5, first_pause=0.02, longest_pause=0.1) as client:
            with pytest.raises(DeadlineExceeded):
                await client.run("compare")
        return script.count(STATUS)

    counts = await asyncio.gather(*(count_polls(applied) for applied in ("wait=20", "wait=0", "wait", "wait=soon")))

    assert max(counts) < 70, "without pauses there would be hundreds"


async def test_with_long_polling_off_it_sends_no_preference(script: Script) -> None:
    script.on(SUBMIT, accepted()).on(STATUS, running(), completed())

    await PollingClient(script.url, deadline=20, hold=0, first_pause=0.01).run("compare")

    assert [request.headers.get("prefer") for request in script.seen(STATUS)] == [None, None]
