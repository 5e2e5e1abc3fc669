"""Runs checkpoints in a process of the pool, and finds what they leave behind in it."""

import functools
import gc
import multiprocessing.util
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from exercises.checking import Checked, run_checkpoints
from tests.checkpoints.engine.api import ForkServer, Verdict


@dataclass(frozen=True)
class Left:
    """The threads, the processes, and the open files and sockets that a run has left behind, in words."""

    threads: tuple[str, ...]
    processes: tuple[str, ...]
    descriptors: tuple[str, ...]


NOTHING = Left((), (), ())
#: A check is inconclusive if the machine gives this process no time for most of a second.
_TRIES = 3
#: A thread needs a moment to notice that its socket is closed.
_SETTLE_SECONDS = 5.0


@dataclass(frozen=True)
class Ran:
    """The outcomes of a run, and what it left behind."""

    checked: Checked
    left: Left


def run(exercise: str, targets: Sequence[Path], *, first_failure: bool = False) -> Ran:
    """Run the checkpoint of one exercise against these folders. Inconclusive checks are run again."""
    forks = _fork_server()
    before = _Held.now()
    checked = Checked()
    for _ in range(_TRIES):
        now = run_checkpoints([exercise], targets, first_failure=first_failure, forks=forks)
        ran = {str(target) for target in targets}
        checked.outcomes = [outcome for outcome in checked.outcomes if outcome.target not in ran] + now.outcomes
        checked.problems += now.problems
        unclear = {outcome.target for outcome in now.outcomes if outcome.verdict is Verdict.INCONCLUSIVE}
        targets = [target for target in targets if str(target) in unclear]
        if not targets:
            break
    return Ran(checked, _left_behind(before))


@functools.cache
def _fork_server() -> ForkServer:
    """The fork server of this process, which keeps its imports for the next exercise."""
    server = ForkServer()
    server.__enter__()
    multiprocessing.util.Finalize(None, server.__exit__, args=(None, None, None), exitpriority=1)
    return server


@dataclass(frozen=True)
class _Held:
    threads: frozenset[threading.Thread]
    processes: frozenset[psutil.Process]
    descriptors: frozenset[str]

    @classmethod
    def now(cls) -> "_Held":
        return cls(frozenset(threading.enumerate()), frozenset(_children()), frozenset(_descriptors()))


def _left_behind(before: _Held) -> Left:
    """What is left after the time to settle."""

    def look() -> Left:
        gc.collect()
        now = _Held.now()
        return Left(
            tuple(sorted(thread.name for thread in now.threads - before.threads)),
            tuple(sorted(map(str, now.processes - before.processes))),
            tuple(sorted(now.descriptors - before.descriptors)),
        )

    deadline = time.monotonic() + _SETTLE_SECONDS
    while (left := look()) != NOTHING and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def _children() -> list[psutil.Process]:
    """Running descendants. Zombies do not count: the fork server reaps them with its next order."""
    children = psutil.Process().children(recursive=True)
    return [child for child in children if child.status() != psutil.STATUS_ZOMBIE]


def _descriptors() -> list[str]:
    """Each open descriptor as a unique string: for a socket it contains the inode number."""
    folder = Path("/proc/self/fd" if Path("/proc/self/fd").exists() else "/dev/fd")
    found = []
    for name in os.listdir(folder):
        try:
            found.append(f"{name} {os.readlink(folder / name)}")
        except OSError:  # the descriptor of the listing itself, or not readable as a link (macOS)
            continue
    return found
