"""Measures the CPU time that other programs use during a trial, because it affects every latency."""

import os
import resource
import time
from contextlib import suppress
from types import TracebackType
from typing import NamedTuple, Self

import psutil

from benchmarks.records.run import MachineUse


class _Reading(NamedTuple):
    wall: float
    busy: float  # CPU seconds of all programs
    own: float
    steal: float


class MachineWatch:
    """Reads the machine's CPU counters at the start and the end of the block."""

    def __init__(self) -> None:
        self._first = self._last = _read()

    def __enter__(self) -> Self:
        self._first = _read()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._last = _read()

    def use(self) -> MachineUse:
        """The usage within the block."""
        wall, busy, own, steal = (max(0.0, last - first) for first, last in zip(self._first, self._last, strict=True))
        return MachineUse(
            cores=os.cpu_count() or 1,
            wall_seconds=wall,
            own_cpu_seconds=own,
            other_cpu_seconds=max(0.0, busy - own),
            steal_seconds=steal,
        )


def _read() -> _Reading:
    counters = psutil.cpu_times()._asdict()
    # `user` includes guest time; none of these includes steal.
    busy = sum(counters.get(name, 0.0) for name in ("user", "nice", "system", "irq", "softirq"))
    return _Reading(time.monotonic(), busy, _own(), counters.get("steal", 0.0))


def _own() -> float:
    """The CPU seconds of this process and all of its descendants, including those that have ended: their time is
    added to that of their parents."""
    own = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    total = sum(used.ru_utime + used.ru_stime for used in own)
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            total += sum(process.cpu_times()[:4])  # user and system time, of itself and of its ended children
    return total
