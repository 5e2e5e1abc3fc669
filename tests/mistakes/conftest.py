"""Runs the checkpoint of an exercise against its stub, its solution and its mistakes, once a test asks about them."""

from collections.abc import Iterator
from multiprocessing.pool import Pool
from pathlib import Path

import pytest

from tests.checkpoints.engine.api import Outcome
from tests.mistakes.mistake import ROOT, mistakes, right_too
from tests.mistakes.runner import Ran, run
from tests.support.process_pool import processes

#: Each check of these is made. Of a mistake only the checks up to the first failure are.
STUB, SOLUTION = "stub", "solution"
_AT_ONCE = 3


class Runs:
    """What came of each exercise."""

    def __init__(self, pool: Pool, folder: Path, asked: dict[str, set[str]]) -> None:
        self._pool = pool
        self._folder = folder
        self._asked = asked
        self._ran: dict[str, list[Ran]] = {}

    def of(self, exercise: str, target: str) -> list[Outcome]:
        """The checks of one exercise against one target, in order."""
        found = [outcome for ran in self.all_of(exercise) for outcome in ran.checked.outcomes]
        return [outcome for outcome in found if _name(outcome.target) == target]

    def all_of(self, exercise: str) -> list[Ran]:
        """The runs of one exercise against all the targets that tests ask about."""
        if exercise not in self._ran:
            self._ran[exercise] = list(self._run(exercise))
        for ran in self._ran[exercise]:
            assert not ran.checked.problems, "\n".join(ran.checked.problems)
        return self._ran[exercise]

    def _run(self, exercise: str) -> Iterator[Ran]:
        asked = self._asked[exercise]
        whole = [path for name, path in _COURSE.items() if name in asked]
        whole += [one.make(self._folder) for one in right_too() if one.exercise == exercise and one.name in asked]
        wrong = [one.make(self._folder) for one in mistakes() if one.exercise == exercise and one.name in asked]
        # Most of it is waiting, so each process of the pool takes a share.
        parts = [(whole, False), *((wrong[first::_AT_ONCE], True) for first in range(_AT_ONCE))]
        running = [
            self._pool.apply_async(run, [exercise, targets], {"first_failure": first_failure})
            for targets, first_failure in parts
            if targets
        ]
        for one in running:
            yield one.get()


_COURSE = {STUB: ROOT / "exercises", SOLUTION: ROOT / "solutions"}


def _name(target: str) -> str:
    return {str(path): name for name, path in _COURSE.items()}.get(target, Path(target).name)


def exercises() -> list[str]:
    """The names of the exercises, in order."""
    return sorted(path.name for path in (ROOT / "exercises").glob("ex*"))


@pytest.fixture(scope="session")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """Every exercise and target that a test of this run asks about."""
    asked: dict[str, set[str]] = {}
    for item in request.session.items:
        parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        if "exercise" in parameters and "target" in parameters:
            asked.setdefault(str(parameters["exercise"]), set()).add(str(parameters["target"]))
    # Processes of their own: pytest within pytest would share its plugins and its output.
    with processes(_AT_ONCE) as pool:
        yield Runs(pool, tmp_path_factory.mktemp("mistakes"), asked)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The texts that learners see are kept, and can be made again."""
    parser.addoption("--record", action="store_true", help="write the texts that learners see, instead of comparing")
