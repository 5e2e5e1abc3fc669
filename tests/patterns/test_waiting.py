"""Waiting with a deadline, in a thread and on an event loop."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from patterns.serving.waiting import until, until_async


async def _in_a_thread(is_true: Callable[[], object], seconds: float, pause: float) -> bool:
    return await asyncio.to_thread(until, is_true, seconds, pause)


both = pytest.mark.parametrize("wait", [_in_a_thread, until_async], ids=["until", "until_async"])
Wait = Callable[[Callable[[], object], float, float], Awaitable[bool]]


@both
async def test_it_looks_until_it_is_true(wait: Wait) -> None:
    looks = iter([False, 0, "yes", None])

    assert await wait(lambda: next(looks), 30.0, 0.0)
    assert list(looks) == [None]


@both
async def test_it_returns_false_at_the_deadline_and_has_looked_at_least_once(wait: Wait) -> None:
    looks: list[None] = []

    assert not await wait(lambda: looks.append(None), 0.0, 0.0)
    assert looks


@both
async def test_what_the_condition_raises_ends_the_wait(wait: Wait) -> None:
    def fails() -> bool:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await wait(fails, 30.0, 0.0)
