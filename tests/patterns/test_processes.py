"""Child processes: started, watched, stopped, and never left behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from patterns.serving.processes import Family, ProcessFailed
from tests.support.waiting import eventually

_SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
_DEAF = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)",
]
_WITH_A_CHILD = [
    sys.executable,
    "-c",
    "import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
    "print(p.pid, flush=True); time.sleep(600)",
]
#: A parent that starts children, and says who they are.
_PARENT = """
import sys, time
from patterns.serving.processes import Family
family = Family()
children = [family.start("child", argv, {{}}) for argv in {children}]
print(family.folder, *[child.pid for child in children], flush=True)
time.sleep(600)
"""


def lives(pid: int) -> bool:
    """Whether a process with this id runs. A zombie does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def first_word(log: Path) -> str:
    """The first line that a child prints, once it has."""
    return eventually(lambda: log.read_text() if log.exists() else "", lambda text: "\n" in text).split()[0]


def test_a_child_runs_until_the_block_ends(tmp_path: Path) -> None:
    with Family(tmp_path / "log") as family:
        child = family.start("sleeper", _SLEEP, {})
        first_word(tmp_path / "log")
        assert child.exit_code is None
        assert lives(child.pid)

    assert not lives(child.pid)
    assert child.exit_code == -signal.SIGTERM


def test_the_folder_of_a_family_is_private_and_goes_with_it() -> None:
    with Family() as family:
        folder = family.folder
        assert folder.stat().st_mode & 0o777 == 0o700

    assert not folder.exists()


def test_the_output_of_children_is_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Family(log) as family:
        script = "import sys; print('to out'); print('to err', file=sys.stderr)"
        child = family.start("talker", [sys.executable, "-c", script], {})
        eventually(lambda: child.exit_code, lambda code: code == 0)

    assert set(log.read_text().splitlines()) == {"to out", "to err"}


def test_a_child_sees_the_environment_it_was_given_and_no_other(tmp_path: Path) -> None:
    script = "import os; print(os.environ.get('GIVEN'), os.environ.get('HOME'))"
    with Family(tmp_path / "log") as family:
        child = family.start("talker", [sys.executable, "-c", script], {"GIVEN": "yes"})
        eventually(lambda: child.exit_code, lambda code: code == 0)

    assert (tmp_path / "log").read_text().split() == ["yes", "None"]


def test_a_child_that_ignores_sigterm_is_killed_after_the_grace_period(tmp_path: Path) -> None:
    with Family(tmp_path / "log") as family:
        child = family.start("deaf", _DEAF, {})
        first_word(tmp_path / "log")
        family.stop(patience=0.1)

        assert child.exit_code == -signal.SIGKILL


def test_the_processes_that_a_child_started_end_with_it(tmp_path: Path) -> None:
    with Family(tmp_path / "log") as family:
        family.start("parent", _WITH_A_CHILD, {})
        grandchild = int(first_word(tmp_path / "log"))
        assert lives(grandchild)

    eventually(lambda: lives(grandchild), lambda it_lives: not it_lives)


def test_a_killed_child_can_be_started_again(tmp_path: Path) -> None:
    with Family(tmp_path / "log") as family:
        child = family.start("sleeper", _SLEEP, {})
        first = child.pid
        child.kill()
        assert child.exit_code == -signal.SIGKILL
        assert "SIGKILL" in child.how_it_ended

        child.start()

        assert child.exit_code is None
        assert child.pid != first
        assert lives(child.pid)


def test_a_restart_ends_the_processes_that_the_killed_child_had_started(tmp_path: Path) -> None:
    with Family(tmp_path / "log") as family:
        child = family.start("parent", _WITH_A_CHILD, {})
        grandchild = int(first_word(tmp_path / "log"))
        child.kill()
        assert lives(grandchild)

        child.start()

        eventually(lambda: lives(grandchild), lambda it_lives: not it_lives)
        assert child.exit_code is None


def test_a_child_has_its_own_process_group(tmp_path: Path) -> None:
    with Family(tmp_path / "log") as family:
        child = family.start("sleeper", _SLEEP, {})

        assert os.getpgid(child.pid) == child.pid
        assert os.getpgid(child.pid) != os.getpgid(0)  # Ctrl-C reaches the parent only


def test_the_last_started_stop_first(tmp_path: Path) -> None:
    ended: list[str] = []
    with Family(tmp_path / "log") as family:
        for name in ("first", "second", "third"):
            child = family.start(name, _SLEEP, {})
            stop = child.stop

            def recorded(patience: float, name: str = name, stop: "object" = stop) -> None:
                ended.append(name)
                assert callable(stop)
                stop(patience)

            child.stop = recorded  # type: ignore[method-assign]  # only recorded

    assert ended == ["third", "second", "first"]


def test_a_missing_program_is_reported_in_one_line() -> None:
    with Family() as family, pytest.raises(ProcessFailed) as raised:
        family.start("engine", ["/no/such/program"], {})

    assert "engine" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_stopping_twice_is_fine() -> None:
    family = Family()
    family.start("sleeper", _SLEEP, {})

    family.stop()
    family.stop()

    assert family.children == []


@pytest.mark.parametrize(
    ("number", "argvs"), [(signal.SIGKILL, [_SLEEP, _DEAF, _WITH_A_CHILD]), (signal.SIGTERM, [_SLEEP])]
)
def test_when_the_parent_is_killed_its_children_and_its_folder_are_gone_within_seconds(
    number: signal.Signals, argvs: list[list[str]]
) -> None:
    parent = subprocess.Popen([sys.executable, "-c", _PARENT.format(children=argvs)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    words: list[str] = []
    folder: str | None = None
    while folder is None:  # its children print there too, if they have no log
        line = parent.stdout.readline().decode().split()
        if line and line[0].startswith("/"):
            folder, words = line[0], line[1:]
    children = [int(word) for word in words]
    descendants = [process.pid for process in psutil.Process(parent.pid).children(recursive=True)]
    assert set(children) < set(descendants)
    assert all(lives(child) for child in children)

    parent.send_signal(number)
    parent.wait()

    eventually(lambda: [pid for pid in descendants if lives(pid)], lambda left: left == [])
    eventually(lambda: Path(folder).exists(), lambda is_there: not is_there)
    parent.stdout.close()
