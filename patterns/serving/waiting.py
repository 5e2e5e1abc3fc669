"""Polls a condition until it is true, with a deadline."""

import time
from collections.abc import Callable

_PAUSE_SECONDS = 0.05


def until(is_true: Callable[[], object], seconds: float, pause: float = _PAUSE_SECONDS) -> bool:
    """Call `is_true` until it returns something true. False after `seconds`; `pause` is between two calls."""
    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


async def until_async(is_true: Callable[[], object], seconds: float, pause: float = _PAUSE_SECONDS) -> bool:
    """`until` for code on an event loop, which is not blocked during the pauses."""
    import asyncio  # noqa: PLC0415 checks of exercises start faster without it

    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(pause)
    return True
