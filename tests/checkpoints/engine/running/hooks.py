"""The hooks that the checkpoints add to pytest, for plugins to implement."""

from collections.abc import Callable
from contextlib import nullcontext

import pytest

from tests.checkpoints.engine.diagnosis.outcome import Outcome


class CheckHooks:
    """Hooks that a plugin can implement."""

    @pytest.hookspec
    def pytest_check_finished(self, outcome: Outcome) -> None:
        """A check has an outcome."""

    @pytest.hookspec
    def pytest_check_waiting(self, text: str) -> None:
        """A check has to wait for a long time; the text says for what."""


def waiting_reporter(config: pytest.Config) -> Callable[[str], None]:
    """A function that reports what a check waits for, even while pytest captures the output."""
    capture = config.pluginmanager.get_plugin("capturemanager")

    def report(text: str) -> None:
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            config.hook.pytest_check_waiting(text=text)

    return report
