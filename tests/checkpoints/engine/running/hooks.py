"""The hooks that the checkpoints add to pytest, for plugins that listen."""

from collections.abc import Callable
from contextlib import nullcontext

import pytest

from tests.checkpoints.engine.diagnosis.outcome import Outcome


class CheckHooks:
    """What a plugin can listen to."""

    @pytest.hookspec
    def pytest_check_finished(self, outcome: Outcome) -> None:
        """A check has come to an outcome."""

    @pytest.hookspec
    def pytest_check_waiting(self, text: str) -> None:
        """A check has to wait for long, and the text says for what."""


def waiting_reporter(config: pytest.Config) -> Callable[[str], None]:
    """Passes on what a check waits for, also while pytest captures the output."""
    capture = config.pluginmanager.get_plugin("capturemanager")

    def report(text: str) -> None:
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            config.hook.pytest_check_waiting(text=text)

    return report
