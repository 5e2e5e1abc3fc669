"""The command line as a user runs it: a process, its exit code, and its output."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from patterns.contract.settings import Settings, environment_variable

KIT = [sys.executable, "-m", "kit"]
COMMAND_SECONDS = 60  # a command that takes longer hangs
_FORK_SERVER = Path(__file__).with_name("kit_fork_server.py")

#: What a developer has set must not change the outcome. Width and colour are those of a pipe.
_UNSET = {environment_variable(field) for field in Settings.model_fields} | {"FORCE_COLOR", "COLUMNS", "TTY_COMPATIBLE"}


@dataclass(frozen=True)
class Outcome:
    """The result of a command."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The only line on its standard error; the test fails if there are none or several."""
        lines = self.err.splitlines()
        assert len(lines) == 1, f"{len(lines)} lines on stderr:\n{self.err}"
        return lines[0]


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with these settings of the kit, and no others."""
    inherited = {name: value for name, value in os.environ.items() if name not in _UNSET}
    return {**inherited, "NO_PROXY": "*", **settings}


def run(argv: list[str], folder: Path, **settings: str) -> Outcome:
    """Run a program in a folder to its end."""
    done = subprocess.run(
        argv,
        cwd=folder,
        env=environment(settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    return _checked(Outcome(done.returncode, done.stdout, done.stderr))


class Kit:
    """Runs `kit` in a folder, each time in a new process, forked from a process that has done the imports."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        path = os.pathsep.join([str(_FORK_SERVER.parents[2]), *sys.path])
        self._fork_server = subprocess.Popen(
            [sys.executable, str(_FORK_SERVER)],
            env={**environment({}), "COLUMNS": "200", "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._fork_server.communicate(timeout=COMMAND_SECONDS)

    def __call__(self, *arguments: str, **settings: str) -> Outcome:
        """Run `kit` with these arguments and settings to its end."""
        return self._run(arguments, self._folder, settings)

    def at(self, folder: Path, *arguments: str) -> Outcome:
        """Run `kit` in a folder to its end."""
        return self._run(arguments, folder, {})

    def _run(self, arguments: tuple[str, ...], folder: Path, settings: Mapping[str, str]) -> Outcome:
        out, err = self._folder / "out", self._folder / "err"
        order = {
            "arguments": arguments,
            "env": environment(settings),
            "folder": str(folder),
            "out": str(out),
            "err": str(err),
        }
        assert self._fork_server.stdin is not None
        assert self._fork_server.stdout is not None
        self._fork_server.stdin.write(f"{json.dumps(order)}\n")
        self._fork_server.stdin.flush()
        code = int(self._fork_server.stdout.readline())
        outcome = Outcome(code, out.read_text(), err.read_text())
        out.unlink()
        err.unlink()
        return _checked(outcome)


def _checked(outcome: Outcome) -> Outcome:
    assert "Traceback" not in outcome.out + outcome.err, outcome.err
    return outcome
