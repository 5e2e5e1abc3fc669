"""The command line as a user runs it: another process, its exit code, and what it printed."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from patterns.settings import Settings, environment_variable

KIT = [sys.executable, "-m", "kit"]

#: What a developer has set must not change the outcome. Width and colour are those of a pipe.
_UNSET = {environment_variable(field) for field in Settings.model_fields} | {"FORCE_COLOR", "COLUMNS", "TTY_COMPATIBLE"}

_PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Outcome:
    """What came of a command."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line on its standard error; a test fails when there are none or several."""
        lines = self.err.splitlines()
        assert len(lines) == 1, f"{len(lines)} lines on stderr:\n{self.err}"
        return lines[0]


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with these settings of the kit, and no others."""
    inherited = {name: value for name, value in os.environ.items() if name not in _UNSET}
    return {**inherited, "NO_PROXY": "*", **settings}


def kit(folder: Path, *arguments: str, **settings: str) -> Outcome:
    """Run `kit` in a folder to its end."""
    done = subprocess.run(
        [*KIT, *arguments],
        cwd=folder,
        env=environment(settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_PATIENCE_SECONDS,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return Outcome(done.returncode, done.stdout, done.stderr)
