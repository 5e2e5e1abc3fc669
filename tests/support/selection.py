"""Which tests run: the default run stays short, and `--thorough` runs the rest and only the rest.

A test that needs RabbitMQ or a browser has the marker `@pytest.mark.needs("rabbitmq")`. Where that is not installed the
test is left out; in CI it is not, and fails. What was left out, and how to get it, is reported in one line at the end.
"""

import os
import shutil
from collections import Counter
from collections.abc import Iterable
from importlib.util import find_spec

import pytest

from benchmarks.faults.suite import has_rabbitmq
from tests.support.browser import browser_command

_LEFT_OUT = pytest.StashKey[dict[str, int]]()
_THOROUGH = "of the thorough run (uv run pytest --thorough)"
_DEFAULT = "of the default run (uv run pytest)"
_INSTALL = {
    "rabbitmq": "that need RabbitMQ (Debian: apt install rabbitmq-server)",
    "browser": "that need a browser (Debian: apt install chromium)",
    "node": "that need Node.js (Debian: apt install nodejs)",
    "llm": "that need the extra llm (uv run --extra llm pytest --thorough)",
}


def add_options(parser: pytest.Parser) -> None:
    """Add `--thorough`."""
    parser.addoption(
        "--thorough", action="store_true", help="run the tests that the default run leaves out, and only these"
    )


def add_markers(config: pytest.Config) -> None:
    """Declare the markers, for `--strict-markers`."""
    config.addinivalue_line("markers", "thorough: too long for the default run; runs with --thorough")
    config.addinivalue_line("markers", f"needs(service): left out where it is not installed: {', '.join(_INSTALL)}")


def select(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the items of this run, in place, and count the others by reason."""
    thorough = bool(config.getoption("--thorough"))
    missing = set() if os.environ.get("CI") else {name for name in _INSTALL if not _installed(name)}
    left_out: Counter[str] = Counter()
    kept = []
    for item in items:
        if bool(item.get_closest_marker("thorough")) != thorough:
            left_out[_DEFAULT if thorough else _THOROUGH] += 1
        elif lacking := missing.intersection(_needs(item)):
            left_out[_INSTALL[min(lacking)]] += 1
        else:
            kept.append(item)
    if len(kept) < len(items):
        config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    items[:] = kept
    remember(config, left_out)


def remember(config: pytest.Config, left_out: dict[str, int]) -> None:
    """Keep the counts for the line at the end. Processes that run tests side by side all count the same."""
    config.stash[_LEFT_OUT] = dict(left_out)


def left_out(config: pytest.Config) -> dict[str, int]:
    """How many tests were left out, by reason."""
    return config.stash.get(_LEFT_OUT, {})


def summary(counts: dict[str, int]) -> str:
    """One line, or nothing when everything ran."""
    return "Left out: " + "; ".join(f"{count:,} {reason}" for reason, count in counts.items()) + "." if counts else ""


def _needs(item: pytest.Item) -> Iterable[str]:
    return [str(service) for marker in item.iter_markers("needs") for service in marker.args]


def _installed(name: str) -> bool:
    match name:
        case "browser":
            return browser_command() is not None
        case "node":
            return shutil.which("node") is not None
        case "llm":
            return find_spec("pydantic_ai") is not None
        case _:
            return has_rabbitmq()
