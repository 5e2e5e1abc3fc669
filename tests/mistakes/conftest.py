"""Runs the checkpoint of an exercise against its stub, its solution and its mistakes when a test first needs them."""

from collections.abc import Iterator
from multiprocessing.pool import Pool
from pathlib import Path

import pytest

from tests.checkpoints.engine.api import Outcome
from tests.mistakes.mistake import ROOT, mistakes, right_solutions
from tests.mistakes.runner import Ran, run
from tests.support.process_pool import processes

#: All checks run against these. Against a mistake, only the checks up to the first failure run.
STUB, SOLUTION = "stub", "solution"
_AT_ONCE = 3


class Runs:
    """The runs of each exercise, started when first needed."""

    def __init__(self, pool: Pool, folder: Path, needed: dict[str, set[str]]) -> None:
        self._pool = pool
        self._folder = folder
        self._needed = needed
        self._ran: dict[str, list[Ran]] = {}

    def of(self, exercise: str, target: str) -> list[Outcome]:
        """The outcomes of the checks of one exercise against one target, in order."""
        found = [outcome for ran in self.all_of(exercise) for outcome in ran.checked.outcomes]
        return [outcome for outcome in found if _name(outcome.target) == target]

    def all_of(self, exercise: str) -> list[Ran]:
        """The runs of one exercise against all targets that the tests need."""
        if exercise not in self._ran:
            self._ran[exercise] = list(self._run(exercise))
        for ran in self._ran[exercise]:
            assert not ran.checked.problems, "\n".join(ran.checked.problems)
        return self._ran[exercise]

    def _run(self, exercise: str) -> Iterator[Ran]:
        needed = self._needed[exercise]
        whole = [path for name, path in _COURSE.items() if name in needed]
        whole += [it.make(self._folder) for it in right_solutions() if it.exercise == exercise and it.name in needed]
        wrong = [it.make(self._folder) for it in mistakes() if it.exercise == exercise and it.name in needed]
        # The checks mostly wait, so each process of the pool takes a share.
        parts = [(whole, False), *((wrong[first::_AT_ONCE], True) for first in range(_AT_ONCE))]
        running = [
            self._pool.apply_async(run, [exercise, targets], {"first_failure": first_failure})
            for targets, first_failure in parts
            if targets
        ]
        for result in running:
            yield result.get()


_COURSE = {STUB: ROOT / "exercises", SOLUTION: ROOT / "solutions"}


def _name(target: str) -> str:
    return {str(path): name for name, path in _COURSE.items()}.get(target, Path(target).name)


def exercises() -> list[str]:
    """The names of the exercises, in order."""
    return sorted(path.name for path in (ROOT / "exercises").glob("ex*"))


@pytest.fixture(scope="session")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """The runs of all exercises and targets that the tests of this session need."""
    needed: dict[str, set[str]] = {}
    for item in request.session.items:
        parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        if "exercise" in parameters and "target" in parameters:
            needed.setdefault(str(parameters["exercise"]), set()).add(str(parameters["target"]))
    # In separate processes: pytest within pytest would share its plugins and its output.
    with processes(_AT_ONCE) as pool:
        yield Runs(pool, tmp_path_factory.mktemp("mistakes"), needed)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add an option to record the texts that learners see."""
    parser.addoption(
        "--record", action="store_true", help="write the texts that learners see, instead of comparing them"
    )
