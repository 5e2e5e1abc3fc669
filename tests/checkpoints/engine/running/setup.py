"""Prepares the environment of a check, or finds the one in which it is already running, concurrently with others."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import pytest

from tests.checkpoints.engine.actors.environment import CheckEnvironment
from tests.checkpoints.engine.diagnosis.explanations import Course
from tests.checkpoints.engine.processes.fork_server import ForkServer
from tests.checkpoints.engine.processes.services import Services
from tests.checkpoints.engine.processes.stalls import StallMonitor
from tests.checkpoints.engine.running.concurrent_checks import Check, ConcurrentChecks
from tests.checkpoints.engine.running.items import exercise_of, target_of

NewEnvironment = Callable[[pytest.Function], CheckEnvironment]

_ENVIRONMENT = pytest.StashKey[CheckEnvironment]()
_STALLS = pytest.StashKey[StallMonitor]()
_CHECK = pytest.StashKey[Check]()


@contextmanager
def environments(config: pytest.Config, course: Course) -> Iterator[NewEnvironment]:
    """A factory of environments that share the processes and services of one run. They end with the block."""
    url = config.getoption("--url")
    with _fork_server(config) as forks, Services() as services:

        def new(item: pytest.Function) -> CheckEnvironment:
            exercise = exercise_of(item)
            folder = None if url else (Path(target_of(item)) / exercise).resolve()
            return CheckEnvironment(folder, url, forks, services, number=course.number(exercise))

        yield new


def _fork_server(config: pytest.Config) -> AbstractContextManager[ForkServer | None]:
    """The fork server that was preloaded and registered as a plugin, or a new one. None for a server with a URL."""
    if config.getoption("--url"):
        return nullcontext()
    for plugin in config.pluginmanager.get_plugins():
        if isinstance(plugin, ForkServer):
            return nullcontext(plugin)
    return ForkServer()


@contextmanager
def check_environment(
    item: pytest.Function, new_environment: NewEnvironment, concurrent: ConcurrentChecks
) -> Iterator[CheckEnvironment]:
    """The environment of a check, until the end of the block."""
    if item.get_closest_marker("concurrent") and not item.config.getoption("--first-failure"):
        check = item.stash[_CHECK] = concurrent.of(item)
        item.stash[_ENVIRONMENT], item.stash[_STALLS] = check.environment, check.stalls
        yield check.environment
        check.environment.close()
        return
    with new_environment(item) as ready, StallMonitor() as stalls:
        item.stash[_ENVIRONMENT], item.stash[_STALLS] = ready, stalls
        yield ready


def environment_of(item: pytest.Item) -> CheckEnvironment | None:
    """The environment of a check; None before it is set up."""
    return item.stash.get(_ENVIRONMENT, None)


def longest_stall(item: pytest.Item) -> float:
    """The longest stall of the machine during a check, in seconds."""
    stalls = item.stash.get(_STALLS, None)
    return stalls.longest if stalls else 0.0


def under_way(item: pytest.Item) -> Check | None:
    """The check, if it runs concurrently; None if pytest runs it."""
    return item.stash.get(_CHECK, None)


def last_wait(item: pytest.Item) -> float:
    """The longest gap in seconds between the last few observations of a check."""
    if check := under_way(item):
        return check.last_wait
    environment = environment_of(item)
    return environment.timeline.last_wait() if environment else 0.0
