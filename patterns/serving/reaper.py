"""Ends what a parent process leaves behind when it crashes.

The parent writes a line to the standard input of this process for every process group that it has started (`+123`) or
ended (`-123`), and for every folder to remove (`/tmp/…`). However the parent exits, the pipe is closed; then the
remaining process groups are ended, and the folders removed. Only the standard library is imported, so that it starts in
milliseconds.
"""

import os
import shutil
import signal
import sys
import time

_PATIENCE_SECONDS = 3.0


def main() -> None:
    """Read the parent's lines until the pipe is closed, then clean up."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    groups: set[int] = set()
    folders: list[str] = []
    for line in sys.stdin:
        text = line.strip()
        if text.startswith("+"):
            groups.add(int(text[1:]))
        elif text.startswith("-"):
            groups.discard(int(text[1:]))
        elif text.startswith("/"):
            folders.append(text)
    _end(groups)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _end(groups: set[int]) -> None:
    _signal_all(groups, signal.SIGTERM)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while groups and time.monotonic() < deadline:
        time.sleep(0.05)
        groups = _signal_all(groups, 0)
    _signal_all(groups, signal.SIGKILL)


def _signal_all(groups: set[int], number: int) -> set[int]:
    """Send a signal to each group, and return those that still exist."""
    existing = set()
    for group in groups:
        try:
            os.killpg(group, number)
            existing.add(group)
        except (ProcessLookupError, PermissionError):
            pass
    return existing


if __name__ == "__main__":
    main()
