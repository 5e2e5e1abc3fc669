"""Whatever a learner's code does, `kit check` ends with a verdict, and leaves nothing running."""

import os
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from exercises.course import SOLUTIONS, course
from tests.checkpoints.engine.processes.time_limits import TIME_LIMIT_SECONDS
from tests.cli.command import KIT, environment
from tests.cli.interrupted_import import interrupted_in
from tests.cli.marked_processes import running
from tests.support.exit_codes import as_a_shell_says
from tests.support.waiting import eventually

FIRST = course()[0]
DEADLINE_SECONDS = 60  # a verdict is due within ten; a busy machine gets more

HANGS = "import time\ntime.sleep(600)\n"
READS = "input('your name? ')\n"
EXITS = "import sys\nsys.exit('enough')\n"
NO_APP = "x = 1\n"
SYNTAX = "def submit(:\n"
PRINTS = "while True:\n    print('x' * 10_000)\n"
DEADLOCKS = """\
import threading
from fastapi import FastAPI
app = FastAPI()
lock = threading.Lock()
@app.post("/agent/submit", status_code=202)
async def submit():
    lock.acquire()
    lock.acquire()
"""
DAEMON = """\
import subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
import time
time.sleep(600)
"""
IGNORES_SIGNALS = """\
import signal
for number in (2, 15):
    signal.signal(number, signal.SIG_IGN)
while True:
    signal.pause()
"""


def start(mark: str, folder: Path, code: str) -> "subprocess.Popen[str]":
    (folder / FIRST.folder).mkdir()
    (folder / FIRST.folder / "app.py").write_text(code)
    return subprocess.Popen(
        [*KIT, "check", "1", "--dir", str(folder)],
        env={**environment({}), mark: "1", "PYTHONPATH": os.pathsep.join(["."]), "TMPDIR": str(folder)},
        cwd=SOLUTIONS.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


#: What each does, and what a learner reads of it.
MISBEHAVIOUR = {
    "hangs": (HANGS, "DOES_NOT_START"),
    "reads": (READS, "EOFError"),
    "exits": (EXITS, "exit code 1"),
    "has-no-app": (NO_APP, "DOES_NOT_START"),
    "syntax-error": (SYNTAX, "raised SyntaxError"),
    "prints": (PRINTS, "DOES_NOT_START"),
    "deadlocks": (DEADLOCKS, "BLOCKING_CALL"),
    "leaves-a-daemon": (DAEMON, "DOES_NOT_START"),
    "ignores-signals": (IGNORES_SIGNALS, "DOES_NOT_START"),
}


@dataclass(frozen=True)
class Ended:
    """How a check ended."""

    code: int
    out: str
    left_running: list[psutil.Process]
    left_there: list[str]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Ended]]:
    """A check of each, three at a time: most of it is waiting for deadlines."""

    def check(name: str) -> Ended:
        mark, folder = f"TEST_{uuid.uuid4().hex}", folders[name]
        process = start(mark, folder, MISBEHAVIOUR[name][0])
        try:
            out, _ = process.communicate(timeout=DEADLINE_SECONDS)
            return Ended(process.returncode, out, running(mark), [path.name for path in folder.iterdir()])
        finally:
            for left in running(mark):
                left.kill()

    folders = {name: tmp_path_factory.mktemp(name) for name in MISBEHAVIOUR}  # here: mktemp is for one thread
    with ThreadPoolExecutor(3) as threads:
        futures = {name: threads.submit(check, name) for name in MISBEHAVIOUR}
        yield lambda name: futures[name].result()


@pytest.mark.parametrize("name", MISBEHAVIOUR)
def test_misbehaving_code_gets_a_verdict_and_is_ended(ended: Callable[[str], Ended], name: str) -> None:
    end = ended(name)
    assert end.code == 1, end.out
    assert MISBEHAVIOUR[name][1] in end.out
    assert "Traceback" not in end.out
    assert end.left_running == []
    assert end.left_there == [FIRST.folder]  # no temporary files either


@pytest.fixture
def in_a_terminal() -> Iterator[None]:
    """What is started hears when its terminal is closed, though these tests may run under nohup(1)."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("in_a_terminal")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_an_interrupt_ends_everything_in_one_line(mark: str, tmp_path: Path, number: signal.Signals) -> None:
    check = start(mark, tmp_path, HANGS)
    eventually(lambda: len(running(mark)), lambda count: count >= 3)  # kit, the fork server, the learner's process
    check.send_signal(number)
    out, _ = check.communicate(timeout=DEADLINE_SECONDS)
    assert "Traceback" not in out, out
    assert out.splitlines()[-1].startswith("kit: Interrupted."), out
    assert as_a_shell_says(check.returncode) == 130
    assert running(mark) == []
    assert [path.name for path in tmp_path.iterdir()] == [FIRST.folder]


@pytest.mark.parametrize("imported", ["dataclasses", "typer"])
def test_ctrl_c_during_the_imports_of_a_command_shows_no_traceback(mark: str, tmp_path: Path, imported: str) -> None:
    ended = interrupted_in(imported, mark, tmp_path, "check", "1", "--solutions")
    assert (as_a_shell_says(ended.returncode), ended.stdout, ended.stderr) == (130, "", "")
    eventually(lambda: running(mark), lambda left: left == [])


def test_an_early_ctrl_c_is_reported_in_the_same_line(mark: str, tmp_path: Path) -> None:
    ended = interrupted_in("pytest", mark, tmp_path, "check", "1", "--solutions")
    assert (as_a_shell_says(ended.returncode), ended.stdout) == (130, "")
    assert ended.stderr == "kit: Interrupted. Nothing was saved.\n"
    assert running(mark) == []


def test_a_killed_check_leaves_nothing_behind(mark: str, tmp_path: Path) -> None:
    check = start(mark, tmp_path, DAEMON)
    eventually(lambda: len(running(mark)), lambda count: count >= 4)
    check.kill()
    check.communicate(timeout=DEADLINE_SECONDS)
    eventually(lambda: running(mark), lambda left: left == [])


def test_a_frozen_machine_makes_a_check_inconclusive(mark: str, tmp_path: Path) -> None:
    check = start(mark, tmp_path, (SOLUTIONS / FIRST.folder / "app.py").read_text())
    assert check.stdout is not None
    while "✓" not in (line := check.stdout.readline()):  # the checks are being made
        assert line, "it ended before it had made a check"
    still = running(mark)
    for process in still:
        with suppress(psutil.NoSuchProcess):  # processes come and go until the last one is frozen
            process.suspend()
    with suppress(subprocess.TimeoutExpired):
        check.wait(1.5 * TIME_LIMIT_SECONDS)  # a deadline in a check passes meanwhile
    for process in still:
        with suppress(psutil.NoSuchProcess):
            process.resume()
    out, _ = check.communicate(timeout=DEADLINE_SECONDS)
    assert check.returncode in {0, 2}, out
    assert "✗" not in out
