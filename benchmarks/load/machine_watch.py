"""What other programs take of the processors during a trial: their part is in every time that is measured."""

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
    busy: float  # processor seconds of all programs
    own: float
    steal: float


class MachineWatch:
    """Reads the processors' counters when the block begins and when it ends."""

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
        """What was used within the block."""
        wall, busy, own, steal = (max(0.0, last - first) for first, last in zip(self._first, self._last, strict=True))
        return MachineUse(
            cores=os.cpu_count() or 1,
            wall_seconds=wall,
            own_cpu_seconds=own,
            other_cpu_seconds=max(0.0, busy - own),
            steal_seconds=steal,
        )


def _read() -> _Reading:
    all_of_it = psutil.cpu_times()._asdict()
    # Time in a guest is in `user` already; what the hypervisor took is not in any of them.
    busy = sum(all_of_it.get(name, 0.0) for name in ("user", "nice", "system", "irq", "softirq"))
    return _Reading(time.monotonic(), busy, _own(), all_of_it.get("steal", 0.0))


def _own() -> float:
    """Of this process and all that it ever started. What a child has used moves to its parent when it ends, so the
    sum misses nothing of those that ended meanwhile."""
    mine = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    total = sum(used.ru_utime + used.ru_stime for used in mine)
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            total += sum(process.cpu_times()[:4])  # its own, and those of its children that ended
    return total
