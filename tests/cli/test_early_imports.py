"""What `kit` imports before a command runs: little, so that every command starts fast."""

import subprocess
import sys
from pathlib import Path

import pytest

SLOW = {"pydantic", "fastapi", "httpx", "celery", "redis", "rich", "asyncio", "pytest"}


@pytest.mark.parametrize("module", ["kit", "exercises.commands", "patterns.serving.redis_server"])
def test_slow_imports_are_left_to_the_command_that_needs_them(module: str) -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", f"import {module}, sys; print(*sys.modules)"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert SLOW.isdisjoint(loaded), SLOW.intersection(loaded)
