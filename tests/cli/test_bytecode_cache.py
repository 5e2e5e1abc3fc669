"""If Python cannot write bytecode beside the source, the kit keeps it in the user's cache."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("setting", "kept"), [("1", True), ("", False)])
def test_bytecode_is_kept_in_the_cache(tmp_path: Path, setting: str, kept: bool) -> None:
    """Also by the processes that the kit starts, which is what their environment is for."""
    keep = "from exercises.startup import keep_compiled; keep_compiled()"
    child = "import os, subprocess, sys; subprocess.run([sys.executable, '-c', 'import json.tool'], check=True)"
    subprocess.run(
        [
            sys.executable,
            "-c",
            f"{keep}; import typer; {child}",
        ],
        cwd=ROOT,
        env={"HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": setting},
        check=True,
    )
    names = {path.name.split(".")[0] for path in (tmp_path / ".cache").rglob("*.pyc")}
    assert ({"typer", "tool"} <= {*names, *_packages(tmp_path)}) is kept


def _packages(home: Path) -> set[str]:
    return {path.parent.name for path in (home / ".cache").rglob("__init__.*.pyc")}
