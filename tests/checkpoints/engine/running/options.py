"""The command-line options of the checkpoints, their markers, and the targets that follow from them."""

from pathlib import Path

import pytest

from tests.checkpoints.engine.running.items import CONTRACT, exercise_of

_LEFT_OUT = pytest.StashKey[int]()
_MARKERS = (
    "points(n): the points for a check; 1 by default",
    "concurrent(first=True): the checks run concurrently; this one starts first",
    "independent: this check is run whatever other checks have found",
    "gap(name): the only gap of the stub that can make this check fail",
)


def add_options(parser: pytest.Parser) -> None:
    """Add `--target`, `--first-failure` and `--url`."""
    group = parser.getgroup("checkpoints")
    group.addoption(
        "--target",
        action="append",
        metavar="FOLDER",
        help="a folder of exercises: exercises, solutions (the default), or a learner's; may be repeated",
    )
    group.addoption(
        "--first-failure", action="store_true", help="skip the other checks of a target after one has failed"
    )
    group.addoption("--url", help="check a running server from outside")


def add_markers(config: pytest.Config) -> None:
    """Declare the markers."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)


def targets(config: pytest.Config, default: Path) -> tuple[list[str], list[str]]:
    """What to check, folders of exercises or a URL, and a short name for each."""
    if url := config.getoption("--url"):
        return [url], ["url"]
    folders = config.getoption("--target") or [str(default)]
    return folders, [Path(folder).name for folder in folders]


def leave_out_contract(config: pytest.Config, items: list[pytest.Item], folder: Path) -> None:
    """Deselect the checks of the wire contract if there is no server to check."""
    if config.getoption("--url"):
        return
    contract = [item for item in items if folder in item.path.parents and exercise_of(item) == CONTRACT]
    if contract:
        config.hook.pytest_deselected(items=contract)
        items[:] = [item for item in items if item not in contract]
        config.stash[_LEFT_OUT] = len(contract)


def left_out(config: pytest.Config) -> str:
    """What was left out, in one line; empty if nothing was."""
    count = config.stash.get(_LEFT_OUT, 0)
    return f"Left out: {count} checks of the wire contract. They need --url http://HOST:PORT." if count else ""
