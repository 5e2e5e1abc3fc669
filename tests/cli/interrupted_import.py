"""Ctrl-C at a chosen moment: while a certain module is being imported."""

import os
import subprocess
import sys
from pathlib import Path

from exercises.course import SOLUTIONS
from tests.cli.command import COMMAND_SECONDS, KIT, environment


def interrupted_in(imported: str, mark: str, folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """`kit`, with Ctrl-C in the middle of an import."""
    (folder / f"{imported}.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    # A shell may have started the tests with SIGINT ignored, which a child inherits.
    heeded = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.executable, sys.argv[1:])"
    )
    return subprocess.run(
        [sys.executable, "-c", heeded, *KIT, *arguments],
        env={**environment({}), mark: "1", "PYTHONPATH": os.pathsep.join([str(folder), str(SOLUTIONS.parent)])},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
