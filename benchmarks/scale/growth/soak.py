"""Many tasks through one pattern: what stays of each, in bytes, in open files and in threads."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.records.growth import SoakReading, SoakRecord
from benchmarks.scale.growth.server import Server, server

#: Before anything is weighed: caches, connections and threads are there once this is done.
_WARM_UP = 2_000
#: It is weighed after each.
PARTS = 12
#: With so short a life the records of one part have gone before the next but one is done.
_SHORT_LIFE_SECONDS = 2.0
#: A connection that was let go is closed soon; one on which callbacks went is kept for five seconds.
_CLOSED_SECONDS, _CALLBACKS_CLOSED_SECONDS = 0.5, 5.5

#: Celery's worker keeps some 600 bytes of each task until its time limit has passed, done or not: the timer's entry.
_ENV: Mapping[str, str] = {"KIT_TASK_TIMEOUT_SECONDS": "5"}

Say = Callable[[str], None]


def soak(pattern: str, tasks: int, folder: Path, callback_url: str, say: Say, parts: int = PARTS) -> SoakRecord:
    """Send them twice, with records kept and with records that soon expire, and write as many records without tasks.

    Raises `HammerFailed`, `BadAnswer`, `ProcessFailed`, `CannotServe`, `SettingsError`, `OSError`.
    """
    part = tasks // parts
    with server(pattern, _ENV, folder / f"{pattern}-soak.log", callback_url) as sent:
        _warm_up(sent)
        handles, threads = _open(sent)
        kept = [SoakReading(0, sent.in_use())]
        for number in range(1, parts + 1):
            say(f"{pattern}: {number * part:,} of {tasks:,} tasks, records are kept")
            _through(sent, part)
            kept.append(SoakReading(number * part, sent.in_use()))
        handles_after, threads_after = _open(sent)
    with server(pattern, _ENV, folder / f"{pattern}-filled.log", callback_url) as written:
        _warm_up(written)
        filled = [SoakReading(0, written.in_use())]
        for number in range(1, parts + 1):
            written.fill(part)
            filled.append(SoakReading(number * part, written.in_use()))
        keeper = written.keeper
    short = {**_ENV, "KIT_TASK_TTL_SECONDS": f"{_SHORT_LIFE_SECONDS:g}"}
    with server(pattern, short, folder / f"{pattern}-expired.log", callback_url) as expiring:
        _warm_up(expiring)
        expired = [SoakReading(0, _when_expired(expiring))]
        say(f"{pattern}: {tasks:,} tasks, records expire")
        for _ in range(parts):
            _through(expiring, part)
        expired.append(SoakReading(parts * part, _when_expired(expiring)))
    return SoakRecord(
        pattern, parts * part, keeper, tuple(kept), tuple(filled), tuple(expired),
        handles, handles_after, threads, threads_after,
    )  # fmt: skip


def _warm_up(target: Server) -> None:
    _through(target, _WARM_UP)


def _through(target: Server, tasks: int) -> None:
    """Send so many and wait until all are done: the last of them is waited for."""
    target.send(tasks - 1)
    target.finish()


def _when_expired(target: Server) -> dict[str, int]:
    time.sleep(_SHORT_LIFE_SECONDS + 0.5)
    target.forget_expired()
    return target.in_use()


def _open(target: Server) -> tuple[dict[str, int], dict[str, int]]:
    """Handles and threads, when those of the last requests have gone: after one more task, which lets go of them."""
    time.sleep(_CALLBACKS_CLOSED_SECONDS if target.calls_back else _CLOSED_SECONDS)
    target.reconnect()
    target.finish()
    return target.processes.handles(), target.processes.threads()
