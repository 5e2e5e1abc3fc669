"""Wait until something becomes true, with a deadline."""

import time
from collections.abc import Callable

_PAUSE_SECONDS = 0.05


def until(is_true: Callable[[], object], seconds: float, pause: float = _PAUSE_SECONDS) -> bool:
    """Whether it became true within so many seconds, asked again after each `pause` in seconds."""
    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


async def until_async(is_true: Callable[[], object], seconds: float, pause: float = _PAUSE_SECONDS) -> bool:
    """`until` for code on an event loop: other tasks run during the pauses."""
    import asyncio  # noqa: PLC0415 no check of an exercise should wait for its import

    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(pause)
    return True
