"""`kit watch` in a terminal: a save runs the checkpoint, a pass moves on, keys do what they say."""

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from exercises.course import SOLUTIONS, course
from exercises.workspace import Workspace
from tests.cli.command import KIT, environment
from tests.cli.interrupted_import import interrupted_in
from tests.cli.marked_processes import running
from tests.support.exit_codes import as_a_shell_says

FIRST = course()[0]
DEADLINE_SECONDS = 40


class Terminal:
    """A program in its own terminal."""

    def __init__(self, argv: list[str]) -> None:
        self._near, self.far = pty.openpty()
        self.before = termios.tcgetattr(self.far)
        self.process = subprocess.Popen(
            argv,
            cwd=SOLUTIONS.parent,
            env={**environment({}), "TERM": "xterm", "COLUMNS": "120"},
            stdin=self.far,
            stdout=self.far,
            stderr=self.far,
            start_new_session=True,
        )
        self.shown = ""

    def until(self, part: str) -> str:
        """What was shown since the last call, up to a text that must appear."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while part not in self.shown:
            assert time.monotonic() < deadline, f"no {part!r} in {self.shown!r}"
            assert self.process.poll() is None or select.select([self._near], [], [], 0)[0], self.shown
            if select.select([self._near], [], [], 0.1)[0]:
                self.shown += re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", os.read(self._near, 65536).decode(errors="replace"))
        found, self.shown = self.shown.split(part, 1)
        return found + part

    def press(self, key: str) -> None:
        os.write(self._near, key.encode())

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._near)
        os.close(self.far)


@pytest.fixture
def watch(mine: Path) -> Iterator[Terminal]:
    terminal = Terminal([*KIT, "watch", "--dir", str(mine)])
    yield terminal
    terminal.close()


def test_a_learner_watches_hints_passes_and_quits(watch: Terminal, mine: Path) -> None:
    watch.until("NOT_IMPLEMENTED")
    watch.until(f"Watching {FIRST.folder}.   h hint")

    watch.press("h")
    assert FIRST.hints()[0].split()[0] in watch.until("3 more")
    watch.until(f"Watching {FIRST.folder}.   h hint")

    watch.press("l")
    watch.until("→  1  Submit and poll")
    watch.until(f"Watching {FIRST.folder}.   h hint")

    watch.press("x")  # not a key of the menu
    watch.until(f"Watching {FIRST.folder}.   h hint")

    shutil.copyfile(SOLUTIONS / FIRST.folder / "app.py", mine / FIRST.folder / "app.py")
    watch.until(" checks, ")
    watch.until(f"1 of {len(course())} passed. Next: exercise 2")
    watch.until(f"Watching {course()[1].folder}.")

    watch.press("r")
    watch.until(f"2. {course()[1].title}")
    watch.until(f"Watching {course()[1].folder}.")

    children = psutil.Process(watch.process.pid).children(recursive=True)
    watch.press("q")
    assert watch.process.wait(DEADLINE_SECONDS) == 0
    assert termios.tcgetattr(watch.far) == watch.before
    assert psutil.wait_procs(children, DEADLINE_SECONDS)[1] == []
    assert Workspace(mine).passed(FIRST)


def test_ctrl_c_stops_it_in_one_line(watch: Terminal) -> None:
    watch.until(f"Watching {FIRST.folder}.")
    children = psutil.Process(watch.process.pid).children(recursive=True)
    watch.process.send_signal(signal.SIGINT)
    assert "Traceback" not in watch.until("kit: Stopped watching.")
    assert as_a_shell_says(watch.process.wait(DEADLINE_SECONDS)) == 130
    assert termios.tcgetattr(watch.far) == watch.before
    assert psutil.wait_procs(children, DEADLINE_SECONDS)[1] == []


def test_an_early_ctrl_c_stops_it_in_one_line_too(mine: Path, mark: str) -> None:
    ended = interrupted_in("watchfiles", mark, mine, "watch")
    assert (as_a_shell_says(ended.returncode), ended.stdout) == (130, "")
    assert ended.stderr == "kit: Stopped watching.\n"
    assert running(mark) == []
