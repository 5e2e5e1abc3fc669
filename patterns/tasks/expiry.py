"""Forgets what has expired, a part at a time: however many expire at once, no request waits for all of them.

A million records take a second to forget. Whoever asks meanwhile would wait for it.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress

#: So many at most are forgotten in one go, in a fraction of a millisecond.
AT_ONCE = 100


class Expiring:
    """Ids in the order in which they expire. Used from the event loop's thread only."""

    def __init__(self, forget: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._forget = forget
        self._clock = clock
        self._ids: deque[tuple[float, str]] = deque()
        self._goes_on = False

    def add(self, expires_at: float, one: str) -> None:
        """To be forgotten from that moment on. The moments of all that are added must be in order."""
        self._ids.append((expires_at, one))

    def forget(self) -> None:
        """Forget some of what has expired; if there is more, the event loop goes on, between its other work."""
        now = self._clock()
        for _ in range(AT_ONCE):
            if not (self._ids and self._ids[0][0] <= now):
                return
            self._forget(self._ids.popleft()[1])
        if not self._goes_on:
            with suppress(RuntimeError):  # without a loop the next calls see to the rest
                asyncio.get_running_loop().call_soon(self._go_on)
                self._goes_on = True

    def _go_on(self) -> None:
        self._goes_on = False
        self.forget()
