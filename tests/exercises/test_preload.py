"""What a check preloads before the command line has been parsed."""

import subprocess
import sys
from pathlib import Path

import pytest

from exercises import preload
from exercises.course import SOLUTIONS, exercise
from exercises.workspace import Workspace
from tests.cli.command import environment

WEB, CLIENT = exercise("1").libraries, exercise("6").libraries


@pytest.fixture
def preloaded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The libraries that were preloaded; nothing is started."""
    libraries: list[tuple[str, ...]] = []
    monkeypatch.setattr(preload, "ForkServer", libraries.append)
    monkeypatch.setattr(preload, "_preloaded", [])
    monkeypatch.setattr("atexit.register", lambda _: None)
    return libraries


@pytest.mark.parametrize(
    ("arguments", "libraries"),
    [
        (["1"], WEB),
        (["6", "1"], CLIENT),
        (["--solutions"], WEB),
        (["--all", "--json", "6"], WEB),
        (["polling_client", "--junit=1"], CLIENT),
        (["6", "--dir", "anywhere"], CLIENT),
        (["no-such-exercise"], WEB),
        (["--dir"], WEB),
        (["--dir", "no/such/folder"], WEB),
    ],
)
def test_the_libraries_of_the_first_exercise_in_the_arguments_are_preloaded(
    preloaded: list[tuple[str, ...]], arguments: list[str], libraries: tuple[str, ...]
) -> None:
    preload.preload(arguments)
    assert preloaded == [libraries]


@pytest.mark.parametrize("arguments", [["--dir", "mine"], ["--dir=mine"]])
def test_without_a_number_it_is_the_next_exercise_in_the_learners_folder(
    preloaded: list[tuple[str, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    workspace = Workspace.make(Path("mine"))
    for number in range(1, 6):
        workspace.mark_passed(exercise(str(number)))
    preload.preload(arguments)
    assert preloaded == [CLIENT]


@pytest.mark.parametrize("arguments", [["--help"], ["--url", "http://127.0.0.1:1"], ["--url=http://127.0.0.1:1"]])
def test_nothing_is_preloaded_if_no_learners_code_will_run(
    preloaded: list[tuple[str, ...]], arguments: list[str]
) -> None:
    preload.preload(arguments)
    assert preloaded == []


def test_a_preloaded_process_is_ended_if_the_command_line_is_invalid(tmp_path: Path) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "kit", "check", "--no-such-option"],
        env={**environment({}), "TMPDIR": str(tmp_path)},
        cwd=SOLUTIONS.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )  # processes inherit its pipes, so this returns only when the last process has ended
    assert refused.returncode == 2
    assert "No such option" in refused.stderr
    assert list(tmp_path.iterdir()) == []
