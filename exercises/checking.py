"""Runs checkpoints: pytest, in this process, with nothing of the kit's own testing around it."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.checkpoints.engine.api import ForkServer, Outcome

CHECKPOINTS = Path(__file__).parents[1] / "tests" / "checkpoints"


@dataclass(eq=False)
class Checked:
    """What came of a run."""

    outcomes: list[Outcome] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def pytest_check_finished(self, outcome: Outcome) -> None:
        """Keep it."""
        self.outcomes.append(outcome)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A checkpoint that cannot be read is no pass."""
        if report.failed:
            self.problems.append(str(report.longrepr))

    def pytest_internalerror(self, excrepr: object) -> None:
        """Nor is a run that broke."""
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

    `first_failure`: once a check of a target has failed, its others are not made.
    """
    checked = Checked()
    arguments = [str(CHECKPOINTS / f"test_{name}.py") for name in names]
    arguments += [f"--target={target}" for target in targets]
    arguments += [f"--url={url}"] if url else []
    arguments += ["--first-failure"] if first_failure else []
    arguments += [f"--junit-xml={junit}"] if junit else []
    # Only what is here counts: no configuration, plugin or conftest.py of the folder in which a learner is.
    arguments += [f"--confcutdir={CHECKPOINTS}", f"--rootdir={CHECKPOINTS}", f"--config-file={os.devnull}"]
    arguments += ["--import-mode=importlib", "-pno:cacheprovider", "-pno:terminal", "-pno:faulthandler"]
    # These two look for garbage twice, a tenth of a second, and would tell of it to the terminal plugin.
    arguments += ["-pno:unraisableexception", "-pno:threadexception"]
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):  # somebody's own, for tests of another kind
        os.environ.pop(name, None)
    plugins = [plugin for plugin in (checked, forks, listener) if plugin is not None]
    code = pytest.main(arguments, plugins=plugins)
    if code == pytest.ExitCode.INTERRUPTED:
        raise KeyboardInterrupt  # pytest has cleaned up, and kept it to itself
    if code not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED} and not checked.problems:
        checked.problems.append(f"pytest ended with exit code {int(code)}")
    if not checked.outcomes and not checked.problems:
        checked.problems.append("no check was made")
    return checked
