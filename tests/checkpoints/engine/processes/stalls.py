"""Whether the machine stalled during a check: then a missed deadline says nothing about the learner's code."""

import threading
import time
from types import TracebackType
from typing import Self

_STEP_SECONDS = 0.05


class StallMonitor:
    """Measures the longest delay of a short sleep during the block."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._over = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._watch, name="stalls", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()

    def _watch(self) -> None:
        before = time.monotonic()
        while not self._over.wait(_STEP_SECONDS):
            now = time.monotonic()
            self.longest = max(self.longest, now - before - _STEP_SECONDS)
            before = now
