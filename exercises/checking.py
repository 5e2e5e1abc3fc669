"""Runs checkpoints: pytest in this process, without the configuration of the kit's own tests."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.checkpoints.engine.api import ForkServer, Outcome

CHECKPOINTS = Path(__file__).parents[1] / "tests" / "checkpoints"


@dataclass(eq=False)
class Checked:
    """The outcomes of a run."""

    outcomes: list[Outcome] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def pytest_check_finished(self, outcome: Outcome) -> None:
        """Store the outcome."""
        self.outcomes.append(outcome)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A checkpoint that cannot be imported is not a pass."""
        if report.failed:
            self.problems.append(str(report.longrepr))

    def pytest_internalerror(self, excrepr: object) -> None:
        """Nor is a run that ended with an error."""
        self.problems.append(str(excrepr))


def run_checkpoints(
    names: Sequence[str],
    targets: Sequence[Path] = (),
    *,
    url: str | None = None,
    first_failure: bool = False,
    forks: ForkServer | None = None,
    junit: Path | None = None,
    listener: object = None,
) -> Checked:
    """Run the checkpoints with these names (`ex01_submit_and_poll`) against folders of exercises, or a URL.

    `first_failure`: skip the other checks of a target after one has failed.
    """
    checked = Checked()
    arguments = [str(CHECKPOINTS / f"test_{name}.py") for name in names]
    arguments += [f"--target={target}" for target in targets]
    arguments += [f"--url={url}"] if url else []
    arguments += ["--first-failure"] if first_failure else []
    arguments += [f"--junit-xml={junit}"] if junit else []
    # Ignore any configuration, plugin or conftest.py in the learner's current folder.
    arguments += [f"--confcutdir={CHECKPOINTS}", f"--rootdir={CHECKPOINTS}", f"--config-file={os.devnull}"]
    arguments += ["--import-mode=importlib", "-pno:cacheprovider", "-pno:terminal", "-pno:faulthandler"]
    # These two collect garbage twice, which takes a tenth of a second, and report to the terminal plugin.
    arguments += ["-pno:unraisableexception", "-pno:threadexception"]
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):  # meant for the learner's own tests
        os.environ.pop(name, None)
    plugins = [plugin for plugin in (checked, forks, listener) if plugin is not None]
    code = pytest.main(arguments, plugins=plugins)
    if code == pytest.ExitCode.INTERRUPTED:
        raise KeyboardInterrupt  # pytest has cleaned up, but does not raise it
    if code not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED} and not checked.problems:
        checked.problems.append(f"pytest ended with exit code {int(code)}")
    if not checked.outcomes and not checked.problems:
        checked.problems.append("no check was run")
    return checked
