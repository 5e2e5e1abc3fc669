"""Runs every checkpoint against its stub, its solution and its mistakes, a few exercises at a time."""

import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

import pytest

from exercises.checking import Checked, run_checkpoints
from tests.checkpoints.outcome import Outcome
from tests.mistakes.mistake import ROOT, mistakes

#: By exercise, then by target: `stub`, `solution`, or the name of a mistake.
Matrix = Mapping[str, Mapping[str, Sequence[Outcome]]]


class Runs:
    """What came of each exercise. Asking waits for it."""

    def __init__(self, runs: dict[str, "Future[Checked]"]) -> None:
        self._runs = runs

    def of(self, exercise: str, target: str) -> list[Outcome]:
        """The checks of one exercise against one target, in order."""
        checked = self._runs[exercise].result()
        assert not checked.problems, "\n".join(checked.problems)
        return [outcome for outcome in checked.outcomes if _name(outcome.target) == target]


def _name(target: str) -> str:
    return {str(ROOT / "exercises"): "stub", str(ROOT / "solutions"): "solution"}.get(target, Path(target).name)


def exercises() -> list[str]:
    """The names of the exercises, in order."""
    return sorted(path.name for path in (ROOT / "exercises").glob("ex*"))


@pytest.fixture(scope="session")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """Every exercise that a test of this run asks about, each in a process of its own."""
    folder = tmp_path_factory.mktemp("mistakes")
    asked = {
        str(item.callspec.params["exercise"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and hasattr(item, "callspec") and "exercise" in item.callspec.params
    }
    targets: dict[str, list[Path]] = {name: [ROOT / "exercises", ROOT / "solutions"] for name in asked}
    for mistake in mistakes():
        if mistake.exercise in asked:
            targets[mistake.exercise].append(mistake.make(folder))
    workers = max(2, (os.cpu_count() or 2) + 1)  # a good part of it is waiting for deadlines
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        # The longest first, so that none of them begins last.
        order = sorted(targets, key=lambda name: len(targets[name]), reverse=True)
        yield Runs({name: pool.submit(run_checkpoints, [name], targets[name]) for name in order})


def pytest_addoption(parser: pytest.Parser) -> None:
    """The texts that learners see are kept, and can be made again."""
    parser.addoption("--record", action="store_true", help="write the texts that learners see, instead of comparing")
