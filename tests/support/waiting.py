"""Waiting for events with a deadline, and doing things at the same moment."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

T = TypeVar("T")

#: Whatever works takes far less time: a test that waits this long has found a bug.
PATIENCE_SECONDS = 30.0
#: A look is often a request: the longer the wait, the rarer the looks, to leave the machine to other tests.
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.01, 0.1


def eventually(look: Callable[[], T], is_it: Callable[[T], bool], within: float = PATIENCE_SECONDS) -> T:
    """Look until `is_it` is true of what is seen, and return that. Fails after `within` seconds."""
    deadline, pause = time.monotonic() + within, _FIRST_PAUSE_SECONDS
    while not is_it(seen := look()):
        assert time.monotonic() < deadline, f"after {within:g} s it is still {seen!r}"
        time.sleep(pause)
        pause = min(1.2 * pause, _LONGEST_PAUSE_SECONDS)
    return seen


async def until(look: Callable[[], bool]) -> None:
    """Wait for something that happens in another thread or process. Fails when it does not."""
    await asyncio.to_thread(eventually, look, bool)


def at_once(times: int, do: Callable[[int], T]) -> list[T]:
    """Call `do(0)`, `do(1)`, … from as many threads, all started at the same moment."""
    start = Barrier(times)

    def one(number: int) -> T:
        start.wait(PATIENCE_SECONDS)
        return do(number)

    with ThreadPoolExecutor(times) as threads:
        return list(threads.map(one, range(times)))
