"""`kit … | head -1`: when the reader of its output has gone, every command ends silently, and leaves nothing behind."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.command import COMMAND_SECONDS, KIT, environment
from tests.cli.marked_processes import running
from tests.support.waiting import eventually

BENCH = ["bench", "--quick", "--patterns", "background_tasks", "--duration", "0.5", "--out", "run", "--json"]


USUAL = [["--help"], ["check", "1"], ["serve", "in_memory_queue", "--port", "0"]]
OTHERS = [
    [],
    ["list"],
    ["check", "--all"],
    ["watch"],
    ["hint"],
    ["solution", "1", "--anyway"],
    ["explain"],
    ["explain", "SUBMIT_BLOCKS"],
    ["doctor"],
    ["patterns"],
    ["patterns", "--json"],
    BENCH,
]


@pytest.mark.parametrize(
    "arguments",
    [*USUAL, *(pytest.param(one, marks=pytest.mark.thorough) for one in OTHERS)],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_it_ends_quietly(arguments: list[str], mark: str, mine: Path) -> None:
    far_end, near_end = os.pipe()
    os.close(far_end)  # as `head` does once it has its line
    try:
        ended = subprocess.run(
            [*KIT, *arguments],
            cwd=mine,
            env={**environment({}), mark: "1", "PYTHONPATH": str(Path(__file__).parents[2])},
            stdin=subprocess.DEVNULL,
            stdout=near_end,
            stderr=subprocess.PIPE,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    finally:
        os.close(near_end)
    # `kit bench` shows its progress on standard error.
    assert [line for line in ended.stderr.splitlines() if "left" not in line] == []
    assert ended.returncode == 1
    eventually(lambda: running(mark), lambda left: left == [])
