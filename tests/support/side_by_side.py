"""Runs folders of tests side by side, each in one process: tests mostly wait, and share the servers of their folder.

A single test file runs in pytest's own process, where a debugger and `-s` work. `-n 0` does that for everything.
"""

import os
import re
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

#: Folders whose servers are started once for all tests, so one process runs the whole folder. Of other folders, a file
#: goes to any process.
_SHARE_SERVERS = ("abuse", "benchmarks/faults", "contract", "faults", "observability", "polling", "webhooks")
_CHECKPOINTS = Path(__file__).parents[1] / "checkpoints"
_FOLDER = re.compile(rf"tests/({'|'.join(_SHARE_SERVERS)})/")
#: The groups that take longest, in either run.
_LONGEST = (
    *(
        "mistakes of clients and Celery",
        "mistakes of servers",
        "benchmarks/faults",
        "contract",
        "abuse",
        "faults",
        "webhooks",
    ),
    *("tests/hosts/test_two_hosts.py", "tests/cli/test_check_url.py", "tests/benchmarks/test_contenders.py"),
    *("tests/cli/test_check_command.py", "tests/cli/test_check_misbehaving_code.py", "tests/cli/test_serve_ctrl_c.py"),
    *("observability", "tests/cli/test_patterns_readme.py", "tests/benchmarks/test_worker_load.py"),
    *("tests/benchmarks/test_load_process.py", "tests/benchmarks/test_growth.py"),
)
#: The exercises form two groups: a process imports only once what the exercises of its group need.
_EXERCISE = re.compile(r"tests/mistakes/.*\[ex(\d\d)")
_HALF = ("04", "06", "09")


def processes(config: pytest.Config) -> int:
    """How many processes run tests. 0 means pytest's own process, which the checkpoints' concurrency relies on."""
    paths = [Path(argument.partition("::")[0]).resolve() for argument in config.args]
    if any(path.is_file() or _CHECKPOINTS in (path, *path.parents) for path in paths):
        return 0
    return 2 + (os.cpu_count() or 2)  # tests wait more than they compute


def group(nodeid: str) -> str:
    """Tests of the same group run in the same process, in their order."""
    if found := _FOLDER.match(nodeid):
        return found[1]
    if found := _EXERCISE.match(nodeid):
        return "mistakes of clients and Celery" if found[1] in _HALF else "mistakes of servers"
    return nodeid.partition("::")[0]


def scheduler(config: pytest.Config, log: Any) -> Any:
    """Hands each process one group after the other."""
    by_group = LoadScopeScheduling(config, log)
    by_group._split_scope = group
    return by_group


def longest_first(items: list[pytest.Item]) -> None:
    """Sort items so that the groups that take longest start first."""
    place = {name: number for number, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: place.get(group(item.nodeid), len(place)))
