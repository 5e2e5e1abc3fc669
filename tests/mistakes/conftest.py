"""Runs every checkpoint against its stub, its solution and its mistakes, a few exercises at a time."""

import functools
import multiprocessing.util
import os
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from exercises.checking import Checked, run_checkpoints
from tests.checkpoints.outcome import Outcome, Verdict
from tests.checkpoints.processes import ForkServer
from tests.mistakes.mistake import ROOT, mistakes, right_too
from tests.pools import processes

#: So many targets are run one after the other in one process; an exercise with more is run by several.
_AT_A_TIME = 8


class Runs:
    """What came of each exercise. Asking waits for it."""

    def __init__(self, runs: dict[str, list["Future[Checked]"]]) -> None:
        self._runs = runs

    def done(self) -> list[str]:
        """The exercises that have been run to their end."""
        return sorted(
            name for name, runs in self._runs.items() if all(run.done() and not run.exception() for run in runs)
        )

    def of(self, exercise: str, target: str) -> list[Outcome]:
        """The checks of one exercise against one target, in order."""
        found = []
        for run in self._runs[exercise]:
            checked = run.result()
            assert not checked.problems, "\n".join(checked.problems)
            found += [outcome for outcome in checked.outcomes if _name(outcome.target) == target]
        return found


_RUNS = pytest.StashKey[Runs]()


def _name(target: str) -> str:
    return {str(ROOT / "exercises"): "stub", str(ROOT / "solutions"): "solution"}.get(target, Path(target).name)


def exercises() -> list[str]:
    """The names of the exercises, in order."""
    return sorted(path.name for path in (ROOT / "exercises").glob("ex*"))


def _run(name: str, targets: list[Path], *, first_failure: bool = False) -> Checked:
    """In a process of the pool, which keeps what it has imported for the next exercise."""
    return run_checkpoints([name], targets, first_failure=first_failure, forks=_fork_server())


@functools.cache
def _fork_server() -> ForkServer:
    server = ForkServer()
    server.__enter__()
    multiprocessing.util.Finalize(None, server.__exit__, args=(None, None, None), exitpriority=1)
    return server


@pytest.fixture(scope="session")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """Every exercise that a test of this run asks about, each in a process of its own."""
    folder = tmp_path_factory.mktemp("mistakes")
    asked = {
        str(item.callspec.params["exercise"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and hasattr(item, "callspec") and "exercise" in item.callspec.params
    }
    wrong: dict[str, list[Path]] = {name: [] for name in asked}
    for mistake in mistakes():
        if mistake.exercise in asked:
            wrong[mistake.exercise].append(mistake.make(folder))
    right = {name: [one.make(folder) for one in right_too() if one.exercise == name] for name in asked}
    workers = max(2, (os.cpu_count() or 2) + 1)  # a good part of it is waiting for deadlines
    with processes(workers) as pool:
        # Of a mistake only the first failure is looked at; of a stub and a right solution every check.
        whole = [ROOT / "exercises", ROOT / "solutions"]
        runs = {name: [pool.submit(_run, name, [*whole, *right[name]])] for name in sorted(asked)}
        # Those with the most mistakes first, so that none of them begins last.
        for name in sorted(wrong, key=lambda name: len(wrong[name]), reverse=True):
            for first in range(0, len(wrong[name]), _AT_A_TIME):
                some = wrong[name][first : first + _AT_A_TIME]
                runs[name].append(pool.submit(_run, name, some, first_failure=True))
        request.config.stash[_RUNS] = Runs(runs)
        yield request.config.stash[_RUNS]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the whole matrix: who may break what is a question that one looks up."""
    known = config.stash.get(_RUNS, None)
    if known is None:
        return
    for exercise in known.done():
        terminalreporter.section(exercise, sep="-")
        others = [one.name for one in [*right_too(), *mistakes()] if one.exercise == exercise]
        for target in ("stub", "solution", *others):
            outcomes = known.of(exercise, target)
            first = next((outcome for outcome in outcomes if outcome.verdict is not Verdict.PASSED), None)
            said = f"{first.code or first.verdict:<24} {first.title}" if first else f"passed ({len(outcomes)} checks)"
            terminalreporter.line(f"  {target:<40} {said}")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The texts that learners see are kept, and can be made again."""
    parser.addoption("--record", action="store_true", help="write the texts that learners see, instead of comparing")
