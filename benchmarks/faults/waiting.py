"""Wait for something to become true, with a deadline."""

import asyncio
import time
from collections.abc import Callable

_LOOK_SECONDS = 0.05


async def until(true: Callable[[], bool], seconds: float) -> bool:
    """Whether it became true within so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if true():
            return True
        await asyncio.sleep(_LOOK_SECONDS)
    return true()
