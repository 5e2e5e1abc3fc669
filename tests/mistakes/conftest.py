"""Runs the checkpoint of an exercise against its stub, its solution and its mistakes, once a test asks about them."""

from collections.abc import Iterator
from multiprocessing.pool import Pool
from pathlib import Path

import pytest

from tests.checkpoints.outcome import Outcome
from tests.mistakes.mistake import ROOT, mistakes, right_too
from tests.mistakes.runner import Ran, run
from tests.pools import processes

#: The whole course: each check of these is made. Of a mistake only the checks up to the first failure are.
STUB, SOLUTION = "stub", "solution"


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
        if whole:
            yield self._pool.apply(run, [exercise, whole])
        if wrong:
            yield self._pool.apply(run, [exercise, wrong], {"first_failure": True})


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
    with processes(1) as pool:  # a process of its own: pytest within pytest would share its plugins and its output
        yield Runs(pool, tmp_path_factory.mktemp("mistakes"), asked)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The texts that learners see are kept, and can be made again."""
    parser.addoption("--record", action="store_true", help="write the texts that learners see, instead of comparing")
