"""The default and the thorough run share all tests between them, and what cannot run here is left out in one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BROWSER = "tests/benchmarks/test_report_browser.py"


def collect(*arguments: str, ci: bool = False, path: str | None = None) -> list[str]:
    """The lines that `pytest --collect-only` prints."""
    env = {**os.environ, "CI": "1" if ci else "", **({} if path is None else {"PATH": path})}
    command = [sys.executable, "-m", "pytest", "-n0", "--collect-only", "-q", *arguments]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False).stdout.splitlines()


def ids(lines: list[str]) -> set[str]:
    return {line for line in lines if "::" in line}


def test_the_thorough_run_has_what_the_default_run_leaves_out_and_nothing_else() -> None:
    default, thorough = collect("tests/faults", ci=True), collect("tests/faults", "--thorough", ci=True)

    assert ids(default)
    assert not ids(default) & ids(thorough)
    assert f"Left out: {len(ids(thorough))} of the thorough run (uv run pytest --thorough)." in default
    assert f"Left out: {len(ids(default))} of the default run (uv run pytest)." in thorough


def test_without_a_browser_one_line_says_what_was_left_out_and_how_to_get_it(tmp_path: Path) -> None:
    lines = collect(BROWSER, "--thorough", path=str(tmp_path))

    assert not ids(lines)
    [line] = [line for line in lines if line.startswith("Left out:")]
    assert "that need a browser (Debian: apt install chromium)" in line


@pytest.mark.thorough
def test_in_ci_a_missing_browser_leaves_no_test_out(tmp_path: Path) -> None:
    assert ids(collect(BROWSER, "--thorough", ci=True, path=str(tmp_path)))


@pytest.mark.thorough
@pytest.mark.parametrize("folder", ["tests/checkpoints", "tests/checkpoints/test_contract.py"])
def test_checkpoints_without_a_url_leave_out_the_checks_that_need_one(folder: str) -> None:
    lines = collect(folder)

    assert not [name for name in ids(lines) if "test_contract" in name]
    assert [line for line in lines if line.startswith("Left out: ") and line.endswith("need --url http://HOST:PORT.")]
