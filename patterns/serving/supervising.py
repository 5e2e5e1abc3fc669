"""Watch child processes: until they are up, and for as long as they run."""

import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from patterns.serving.processes import Child, Family, ProcessFailed
from patterns.serving.waiting import until

#: How long anything that the kit starts may take to come up. A process that ends sooner is noticed at once.
START_SECONDS = 30.0
_MOST_DEATHS, _DEATHS_WITHIN_SECONDS = 4, 60.0


class NotConfigured(ProcessFailed):
    """A child could not use its settings, and has said so itself on this process's output."""


def wait_until_up(
    is_up: Callable[[], object],
    children: Sequence[Child],
    otherwise: str,
    advice: Callable[[], str],
    *,
    log: Path | None = None,
    times_longer: float = 1,
) -> None:
    """Return once `is_up` says so.

    Raises `ProcessFailed` when one of `children` ends first, with the last line of `log`, or after `START_SECONDS`
    (or that many `times_longer`): `otherwise` says what did not happen, `advice` at that moment what to do.
    """

    def is_up_or_raises() -> object:
        for child in children:
            if child.exit_code == os.EX_CONFIG and log is None:
                raise NotConfigured(_why_it_ended(child, log))
            if child.exit_code is not None:
                raise ProcessFailed(_why_it_ended(child, log))
        return is_up()

    seconds = times_longer * START_SECONDS
    if not until(is_up_or_raises, seconds):
        raise ProcessFailed(f"{otherwise} within {seconds:g} s. {advice()}")


def supervise(family: Family, report: Callable[[str], None]) -> None:
    """Restart children that end, as a process manager would, until interrupted; `report` gets a line each time.

    Raises `ProcessFailed` when children end again and again.
    """
    deaths: deque[float] = deque(maxlen=_MOST_DEATHS)
    while True:
        for child in family.children:
            if child.exit_code is None:
                continue
            if len(deaths) == _MOST_DEATHS and time.monotonic() - deaths[0] < _DEATHS_WITHIN_SECONDS:
                raise ProcessFailed(f"The {child.name} {child.how_it_ended}, its fifth exit within a minute.")
            deaths.append(time.monotonic())
            ended, how = child.pid, child.how_it_ended
            child.start()
            report(f"The {child.name} (process {ended}) {how}. Restarted as process {child.pid}.")
        time.sleep(0.2)


def _why_it_ended(child: Child, log: Path | None) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log and log.exists() else []
    said = [line.rpartition("kit: ")[2] for line in lines if "kit: " in line]  # some print a table after it
    last = said[-1] if said else lines[-1] if lines else "its output is above"
    return f"The {child.name} {child.how_it_ended} before it was ready: {last}"
