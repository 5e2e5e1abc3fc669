"""Measures the CPU time and memory of the servers' processes under load, by role."""

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

import psutil

from benchmarks.records.run import Usage

_INTERVAL_SECONDS = 0.5
#: The readings that are kept, spread over the trial.
_MOST_KEPT = 120


class ProcessWatch:
    """Reads the counters of processes and their children within the block. `roles` maps a role to process ids."""

    def __init__(self, roles: Mapping[str, Sequence[int]]) -> None:
        self._roles = roles
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="usage", daemon=True)
        self._began = time.monotonic()
        self._first: dict[psutil.Process, float] = {}
        self._cpu: dict[str, dict[psutil.Process, float]] = {role: {} for role in roles}
        self._memory: dict[str, list[tuple[float, int]]] = {role: [] for role in roles}

    def __enter__(self) -> Self:
        self._read()
        self._first = {process: used for seen in self._cpu.values() for process, used in seen.items()}
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._read()

    def usage(self) -> tuple[Usage, ...]:
        """The usage within the block."""
        return tuple(
            Usage(
                role=role,
                cpu_seconds=sum(used - self._first.get(process, 0.0) for process, used in seen.items()),
                peak_memory_bytes=max((used for _, used in self._memory[role]), default=0),
                memory=tuple(_thinned(self._memory[role])),
            )
            for role, seen in self._cpu.items()
        )

    def _watch(self) -> None:
        while not self._over.wait(_INTERVAL_SECONDS):
            self._read()

    def _read(self) -> None:
        now = time.monotonic() - self._began
        for role, ids in self._roles.items():
            total = 0
            for process in _families(ids):
                with suppress(psutil.Error):
                    with process.oneshot():
                        times = process.cpu_times()
                        total += _own_memory(process)
                    self._cpu[role][process] = times.user + times.system
            self._memory[role].append((round(now, 3), total))


def _families(ids: Sequence[int]) -> list[psutil.Process]:
    processes = []
    for number in ids:
        with suppress(psutil.Error):
            process = psutil.Process(number)
            processes += [process, *process.children(recursive=True)]
    return processes


def _own_memory(process: psutil.Process) -> int:
    """The PSS of a process, which counts pages shared by forked workers once; RSS on other systems than Linux."""
    try:
        return int(process.memory_full_info().pss)
    except AttributeError:  # not on Linux
        return int(process.memory_info().rss)


def _thinned(readings: list[tuple[float, int]]) -> list[tuple[float, int]]:
    each = -(-len(readings) // _MOST_KEPT) or 1
    return readings[::each]
