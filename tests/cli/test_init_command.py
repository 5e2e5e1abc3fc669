"""`kit init` prints the next commands, and they work as printed."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from exercises.course import HERE
from exercises.home import first_steps
from tests.cli.command import COMMAND_SECONDS, KIT, run


@pytest.fixture
def uv() -> str:
    """The path of uv, which `uv run` sets."""
    return os.environ.get("UV") or "uv"


def printed_by(folder: Path, uv: str, arguments: list[str]) -> list[str]:
    made = run([*KIT, "init", *arguments], folder, UV=uv)
    assert made.code == 0, made.err
    return made.out.splitlines()


def test_outside_the_kit_the_printed_commands_work_from_every_folder(tmp_path: Path, uv: str) -> None:
    lines = [line.strip() for line in printed_by(tmp_path, uv, ["my exercises"])]
    [cd] = [line for line in lines if line.startswith("cd ")]
    say = [line for line in lines if line.startswith(("export ", "alias "))]
    script = "\n".join(["shopt -s expand_aliases", cd, *say, "kit list", "cd ex01_submit_and_poll", "kit list"])

    ended = subprocess.run(
        [shutil.which("bash") or "bash", "-eu"],
        input=script,
        cwd=tmp_path,
        env={
            "HOME": os.environ["HOME"],
            "PATH": os.pathsep.join([str(Path(uv).parent), os.environ["PATH"]]),
            "UV_NO_SYNC": "1",  # the environment of these tests stays as it is
        },
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("→  1  Submit and poll") == 2


def test_inside_the_kit_uv_run_is_enough(monkeypatch: pytest.MonkeyPatch, uv: str) -> None:
    monkeypatch.setenv("UV", uv)
    lines = first_steps(HERE.parent / "my-exercises")
    assert lines[-1].endswith("alias kit='uv run kit'")
    assert not any("UV_PROJECT" in line for line in lines)


def test_without_uv_the_command_is_called_kit(tmp_path: Path) -> None:
    assert not any("uv" in line for line in printed_by(tmp_path, "", ["mine"]))
