"""Watches child processes: while they start, and while they run."""

import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from patterns.serving.processes import Child, Family, ProcessFailed
from patterns.serving.waiting import until

#: How long a process may take to start. If it exits before that, the wait ends at once.
START_SECONDS = 30.0
_MAX_RESTARTS, _WITHIN_SECONDS = 4, 60.0


class NotConfigured(ProcessFailed):
    """A child could not use its settings, and has printed the reason itself."""


def wait_until_up(
    is_up: Callable[[], object],
    children: Sequence[Child],
    failure: str,
    advice: Callable[[], str],
    *,
    log: Path | None = None,
    timeout_factor: float = 1,
) -> None:
    """Return once `is_up` is true.

    Raises `ProcessFailed` if one of `children` exits first, with the last line of `log`; or after `START_SECONDS`
    multiplied by `timeout_factor`, with the text of `failure` and, evaluated then, of `advice`.
    """

    def is_up_or_raises() -> object:
        for child in children:
            if child.exit_code == os.EX_CONFIG and log is None:
                raise NotConfigured(_why_it_ended(child, log))
            if child.exit_code is not None:
                raise ProcessFailed(_why_it_ended(child, log))
        return is_up()

    seconds = timeout_factor * START_SECONDS
    if not until(is_up_or_raises, seconds):
        raise ProcessFailed(f"{failure} within {seconds:g} s. {advice()}")


def supervise(family: Family, report: Callable[[str], None]) -> None:
    """Restart children that exit, until interrupted, and call `report` with a line for each restart.

    Raises `ProcessFailed` at the fifth exit within a minute.
    """
    restarts: deque[float] = deque(maxlen=_MAX_RESTARTS)
    while True:
        for child in family.children:
            if child.exit_code is None:
                continue
            if len(restarts) == _MAX_RESTARTS and time.monotonic() - restarts[0] < _WITHIN_SECONDS:
                raise ProcessFailed(f"The {child.name} {child.how_it_ended}, its fifth exit within a minute.")
            restarts.append(time.monotonic())
            ended, how = child.pid, child.how_it_ended
            child.start()
            report(f"The {child.name} (process {ended}) {how}. Restarted as process {child.pid}.")
        time.sleep(0.2)


def _why_it_ended(child: Child, log: Path | None) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log and log.exists() else []
    errors = [line.rpartition("kit: ")[2] for line in lines if "kit: " in line]  # more output may follow it
    last = errors[-1] if errors else lines[-1] if lines else "its output is above"
    return f"The {child.name} {child.how_it_ended} before it was ready: {last}"
