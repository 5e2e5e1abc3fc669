"""What `kit` imports before a command runs: little, for the sake of every command."""

import subprocess
import sys
from pathlib import Path

import pytest

SLOW = {"pydantic", "fastapi", "httpx", "celery", "redis", "rich", "asyncio", "pytest"}


@pytest.mark.parametrize("module", ["kit", "exercises.commands", "patterns.serving.redis_server"])
def test_what_takes_long_to_import_is_imported_by_the_command_that_needs_it(module: str) -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", f"import {module}, sys; print(*sys.modules)"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert SLOW.isdisjoint(loaded), SLOW.intersection(loaded)
