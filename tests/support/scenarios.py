"""Scenarios: what takes long runs once, beside the scenarios of other modules, and several tests check what was seen.

A test module has a scenario if it has a function `run_scenario(world)`. Most of each is waiting (for a grace period,
for a broker that comes back), so a few at once take hardly longer than the longest.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

#: Waits for the scenario of a module (its `__name__`), and returns its result, or raises what it raised.
ScenarioResult = Callable[[str], Any]

#: The first test of a scenario waits for the whole of it, and for those that started earlier.
SCENARIO_SECONDS = 300


def has_scenario(item: pytest.Item) -> bool:
    """Whether the module of a test has a scenario."""
    return isinstance(item, pytest.Function) and hasattr(item.module, "run_scenario")


def put_scenarios_last(items: list[pytest.Item], folder: Path) -> None:
    """Run the other tests of a folder before those of a scenario."""
    places = [place for place, item in enumerate(items) if folder in item.path.parents]
    for place, item in zip(places, sorted((items[place] for place in places), key=has_scenario), strict=True):
        items[place] = item
        if has_scenario(item) and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SCENARIO_SECONDS))


@contextmanager
def running_scenarios(
    session: pytest.Session, folder: Path, world: object, *, at_once: int
) -> Iterator[ScenarioResult]:
    """Start the scenarios of all modules in `folder` that this run of pytest collected."""
    modules = {
        item.module.__name__: item.module.run_scenario
        for item in session.items
        if isinstance(item, pytest.Function) and folder in item.path.parents and has_scenario(item)
    }
    with ThreadPoolExecutor(at_once, thread_name_prefix="scenario") as threads:
        scenarios: dict[str, Future[Any]] = {name: threads.submit(run, world) for name, run in modules.items()}
        try:
            yield lambda name: scenarios[name].result()
        finally:
            threads.shutdown(cancel_futures=True)
