"""Runs the checks of one checkpoint concurrently: most of their time is waiting. They are reported in order.

For a module with `pytestmark = pytest.mark.concurrent`, whose checks use no fixture but `environment`.
"""

import threading
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.checkpoints.engine.actors.environment import CheckEnvironment
from tests.checkpoints.engine.processes.stalls import StallMonitor

#: Number of threads. More would compete for the processors.
_AT_ONCE = 4


class Check:
    """One check, running in its own thread or waiting for one."""

    def __init__(self, item: pytest.Function, environment: CheckEnvironment) -> None:
        self.environment = environment
        self.stalls = StallMonitor()
        self.error: BaseException | None = None
        self.last_wait = 0.0
        self.done = threading.Event()
        self._make = item.obj

    def make(self) -> None:
        """Run the check, and store its outcome."""
        with self.stalls:
            try:
                self._make(self.environment)
                self.environment.close()  # if it fails, the output of its processes is still needed
            except BaseException as error:
                self.error = error
        self.last_wait = self.environment.timeline.last_wait()
        self.done.set()

    def outcome(self) -> None:
        """Wait until the check has ended, and raise what it raised."""
        self.done.wait()
        if self.error:
            raise self.error


class ConcurrentChecks:
    """The checks that run concurrently: those of one checkpoint and one target at a time."""

    def __init__(self, new_environment: Callable[[pytest.Function], CheckEnvironment]) -> None:
        self._new_environment = new_environment
        self._group: tuple[object, ...] = ()
        self._checks: dict[pytest.Function, Check] = {}
        self._waiting: deque[Check] = deque()
        self._environments = ExitStack()

    def of(self, item: pytest.Function) -> Check:
        """The check of an item. The first of a group starts the whole group."""
        if _group(item) != self._group:
            self.stop()
            self._group = _group(item)
            for other in item.session.items:
                if isinstance(other, pytest.Function) and _group(other) == self._group:
                    self._checks[other] = Check(other, self._environments.enter_context(self._new_environment(other)))
            self._waiting = deque(self._checks[item] for item in sorted(self._checks, key=_comes_later))
            for _ in range(_AT_ONCE):
                threading.Thread(target=self._work, args=[self._waiting], name="checks", daemon=True).start()
        return self._checks[item]

    def stop(self) -> None:
        """Start no more checks, and end what was started for them."""
        self._waiting.clear()
        self._environments.close()
        self._checks, self._group = {}, ()

    @staticmethod
    def _work(waiting: "deque[Check]") -> None:
        while True:
            try:
                check = waiting.popleft()
            except IndexError:
                return
            check.make()


def _comes_later(item: pytest.Function) -> bool:
    """Whether other checks start before this one: the slowest checks start first."""
    marker = item.get_closest_marker("concurrent")
    return not (marker and marker.kwargs.get("first"))


def _group(item: pytest.Function) -> tuple[object, ...]:
    return (item.module, item.callspec.params["target"])
