"""A soak of one pattern: the bytes, open files and threads that many tasks leave behind."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.records.growth import SoakReading, SoakRecord
from benchmarks.scale.growth.server import Server, server

#: Tasks before the first reading, which fill caches and create connections and threads.
_WARM_UP = 2_000
#: The number of readings: memory is measured after each part of the tasks.
PARTS = 12
#: So short that the records of one part expire before the second next part ends.
_SHORT_LIFE_SECONDS = 2.0
#: How long a released connection stays open; those for callbacks are kept alive for five seconds.
_CLOSED_SECONDS, _CALLBACKS_CLOSED_SECONDS = 0.5, 5.5

#: Celery's worker keeps some 600 bytes per task (a timer entry) until its time limit has passed, finished or not.
_ENV: Mapping[str, str] = {"KIT_TASK_TIMEOUT_SECONDS": "5"}

Say = Callable[[str], None]


def soak(pattern: str, tasks: int, folder: Path, callback_url: str, say: Say, parts: int = PARTS) -> SoakRecord:
    """Send the tasks twice, with kept records and with records that soon expire, and write as many records directly.

    Raises `HammerFailed`, `BadAnswer`, `ProcessFailed`, `CannotServe`, `SettingsError`, `OSError`.
    """
    part = tasks // parts
    with server(pattern, _ENV, folder / f"{pattern}-soak.log", callback_url) as sent:
        _warm_up(sent)
        handles, threads = _open(sent)
        kept = [SoakReading(0, sent.in_use())]
        for number in range(1, parts + 1):
            say(f"{pattern}: {number * part:,} of {tasks:,} tasks, with kept records")
            _run_tasks(sent, part)
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
        say(f"{pattern}: {tasks:,} tasks, with records that expire")
        for _ in range(parts):
            _run_tasks(expiring, part)
        expired.append(SoakReading(parts * part, _when_expired(expiring)))
    return SoakRecord(
        pattern, parts * part, keeper, tuple(kept), tuple(filled), tuple(expired),
        handles, handles_after, threads, threads_after,
    )  # fmt: skip


def _warm_up(target: Server) -> None:
    _run_tasks(target, _WARM_UP)


def _run_tasks(target: Server, tasks: int) -> None:
    """Send this many tasks and wait until all are finished."""
    target.send(tasks - 1)
    target.finish()


def _when_expired(target: Server) -> dict[str, int]:
    time.sleep(_SHORT_LIFE_SECONDS + 0.5)
    target.delete_expired()
    return target.in_use()


def _open(target: Server) -> tuple[dict[str, int], dict[str, int]]:
    """Handles and threads, once those of earlier requests are closed, for which one more task is needed."""
    time.sleep(_CALLBACKS_CLOSED_SECONDS if target.calls_back else _CLOSED_SECONDS)
    target.reconnect()
    target.finish()
    return target.processes.handles(), target.processes.threads()
