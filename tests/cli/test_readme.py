"""The README stays short and true: its commands are run here as they stand.

The two commands at the top are run by `.ci/run`.
"""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

from patterns import PATTERNS
from tests.cli.documents import OF_PATTERNS, README, ROOT, as_here, run, serve

SETUP = "python3 -m pip install -U --target .uv uv && "


def test_it_is_150_lines_at_most() -> None:
    assert len(README.text.splitlines()) <= 150


def test_each_of_the_two_commands_is_a_separate_block_near_the_top() -> None:
    commands = [f"{SETUP}.uv/bin/uv run kit bench --quick", f"{SETUP}.uv/bin/uv run pytest"]
    assert [block.strip() for block in README.blocks("sh") if SETUP in block] == commands
    assert set(commands) <= set(README.text.splitlines()[:20])


def test_the_folder_that_they_make_is_ignored_by_git() -> None:
    assert ".uv/" in (ROOT / ".gitignore").read_text().splitlines()


def test_later_commands_find_the_uv_that_they_put_there(tmp_path: Path) -> None:
    (tmp_path / ".uv/bin").mkdir(parents=True)
    uv = tmp_path / ".uv/bin/uv"
    uv.write_text("#!/bin/sh\necho this uv\n")
    uv.chmod(0o755)
    ended = run(["sh", "-c", README.block("sh", "export PATH") + "uv run kit\n"], tmp_path)
    assert ended.stdout == "this uv\n", ended.stderr


def test_the_picture_names_every_pattern_and_has_a_description() -> None:
    picture = ET.parse(ROOT / "patterns/shape.svg").getroot()  # noqa: S314 it is our own
    svg = "{http://www.w3.org/2000/svg}"
    shown = " ".join("".join(text.itertext()) for text in picture.iter(f"{svg}text"))
    description = picture.find(f"{svg}desc")
    assert description is not None
    described = "".join(description.itertext())
    assert [name for name in PATTERNS if name not in shown or name not in described] == []
    assert picture.find(f"{svg}title") is not None


def test_its_tables_have_a_row_or_a_column_for_every_pattern() -> None:
    assert re.findall(r"^\| \[`(\w+)`\]\(patterns/\1\.py\) \|", README.section("The five"), re.MULTILINE) == list(
        PATTERNS
    )
    for name in PATTERNS:
        assert f"`{name}` |" in README.section("What survives what")
        assert f"`{name}`" in README.section("Measured")


def test_serve_and_submit_print_the_result(tmp_path: Path) -> None:
    for url in serve(README.block("sh", "kit serve in_memory_queue"), tmp_path):
        ended = run([*as_here(README.block("sh", "kit submit").strip()), "--url", url])
        assert ended.returncode == 0, ended.stderr
        assert "(2 steps" in ended.stdout


def test_your_own_agent_is_run_where_it_says(tmp_path: Path) -> None:
    command = README.block("sh", "KIT_AGENT=my_agent")
    assert command == OF_PATTERNS.block("sh", "KIT_AGENT=my_agent")
    (tmp_path / "my_agent.py").write_text(OF_PATTERNS.block("python", "def answer"))
    for url in serve(command, tmp_path):
        ended = run(as_here(f"uv run kit submit loud --url {url}"))
        assert ended.stdout.strip() == "LOUD", ended.stderr


def test_the_course_begins_as_it_says(tmp_path: Path) -> None:
    init, cd, watch = README.block("sh", "cd my-exercises").strip().splitlines()
    made = run(as_here(init), tmp_path)
    assert made.returncode == 0, made.stderr
    assert watch == "uv run kit watch"  # which tests/cli/test_watch_command.py runs in a terminal
    assert "`uv run kit check`" in README.text
    ended = run(as_here("uv run kit check"), tmp_path / cd.removeprefix("cd "))
    assert ended.returncode == 1
    assert "NOT_IMPLEMENTED" in ended.stdout


def test_the_failed_check_that_it_shows_is_real() -> None:
    kept = (ROOT / "tests/mistakes/ex01_submit_and_poll/async_work_that_blocks.txt").read_text()
    for line in README.block("text", "LOOP_BLOCKED").splitlines():
        moment_left_out = re.sub(r"^ +[0-9.]+ s", "  -.-- s", line)
        assert re.sub(r"\bwithin [0-9.]+ s\b", "within … s", moment_left_out) in kept
