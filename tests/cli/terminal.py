"""`kit serve` in its own terminal, which sends Ctrl-C to the whole foreground group, as terminals do."""

import os
import select
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any

from tests.cli.serve_process import ServeProcess, Stream
from tests.support.waiting import eventually

#: Makes standard input the terminal that controls the session, then becomes the program.
_IN_FOREGROUND = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


class _Screen:
    """What a terminal shows, line by line. Its reader closes it: a read that waits would keep the terminal open."""

    def __init__(self, terminal: int) -> None:
        self.closing = threading.Event()
        self._terminal = terminal
        self._shown = b""
        self._is_open = True

    def readline(self) -> str:
        """The next line, or nothing at the end. Raises `OSError` when the program at the other end is gone."""
        while b"\n" not in self._shown:
            if self.closing.is_set():
                self.close()
                return ""
            if select.select([self._terminal], [], [], 0.05)[0]:
                self._shown += os.read(self._terminal, 65_536)
        line, _, self._shown = self._shown.partition(b"\n")
        return f"{line.decode()}\n"

    def close(self) -> None:
        """Close the terminal."""
        if self._is_open:
            self._is_open = False
            os.close(self._terminal)


class TerminalServe(ServeProcess):
    """Started in a terminal, whose whole screen is in `out`."""

    def ctrl_c(self) -> None:
        """Press Ctrl-C."""
        self.note_family()
        os.write(self._terminal, b"\x03")

    def close_terminal(self) -> None:
        """Close the window."""
        self.note_family()
        (screen,) = self._streams
        assert isinstance(screen, _Screen)
        screen.closing.set()

    def until_shown(self, text: str) -> None:
        """Return once the screen shows it."""
        eventually(lambda: "".join(self.out), lambda screen: text in screen)

    def last_lines(self) -> list[str]:
        """What the screen shows below the line that says how to stop, apart from the echo of the keys."""
        below = "".join(self.out).partition("Ctrl-C stops everything")[2].splitlines()[1:]
        return [line for text in below if (line := text.replace("^C", "").strip())]

    def _start(self, argv: Sequence[str], **options: Any) -> tuple[subprocess.Popen[Any], *tuple[Stream, ...]]:
        self._terminal, far_end = os.openpty()
        options["env"] |= {"TERM": "dumb", "COLUMNS": "200"}
        popen = subprocess.Popen(
            [sys.executable, "-c", _IN_FOREGROUND, *argv],
            start_new_session=True,
            stdin=far_end,
            stdout=far_end,
            stderr=far_end,
            **options,
        )
        os.close(far_end)
        return popen, _Screen(self._terminal)
