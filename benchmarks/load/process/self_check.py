"""The load process measures itself, because its results count only if it kept up.

Its counts are independent of the samples, so that the two can be compared (`benchmarks.analysis.validity`).
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import gevent

from benchmarks.records.run import LoadReport

_SLEEP_SECONDS = 0.05
#: The window for CPU usage: in a shorter one, a short spike would count as a full core.
_CPU_SECONDS = 1.0


class SelfCheck:
    """Monitors this process from creation until `report`."""

    def __init__(self) -> None:
        self._began = self._changed = time.monotonic()
        self._offset = time.time() - self._began
        self._cpu = self._cpu_before = time.process_time()
        self._read_at = self._began
        self._busiest = self._stall = 0.0
        self._tasks = self._in_flight = 0
        self._task_seconds = 0.0
        self._greenlet = gevent.spawn(self._watch)

    @contextmanager
    def task(self) -> Iterator[None]:
        """Count a task as in flight during the block."""
        self._count(+1)
        self._tasks += 1
        try:
            yield
        finally:
            self._count(-1)

    def report(self) -> LoadReport:
        """Stop and return the report."""
        self._greenlet.kill()
        self._count(0)
        now = time.monotonic()
        wall = now - self._began
        self._read_cpu(now)
        share = (time.process_time() - self._cpu) / wall
        return LoadReport(
            tasks=self._tasks,
            task_seconds=self._task_seconds,
            wall_seconds=wall,
            busiest_cpu_share=max(self._busiest, share),
            cpu_share=share,
            clock_step_seconds=time.time() - now - self._offset,
            longest_stall_seconds=self._stall,
        )

    def _count(self, change: int) -> None:
        now = time.monotonic()
        self._task_seconds += self._in_flight * (now - self._changed)
        self._in_flight += change
        self._changed = now

    def _watch(self) -> None:
        while True:
            before = time.monotonic()
            gevent.sleep(_SLEEP_SECONDS)
            now = time.monotonic()
            self._stall = max(self._stall, now - before - _SLEEP_SECONDS)
            if now - self._read_at >= _CPU_SECONDS:
                self._read_cpu(now)

    def _read_cpu(self, now: float) -> None:
        if now - self._read_at >= _CPU_SECONDS / 2:
            used = time.process_time()
            self._busiest = max(self._busiest, (used - self._cpu_before) / (now - self._read_at))
            self._cpu_before, self._read_at = used, now
