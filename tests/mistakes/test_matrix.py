"""Every stub, every solution and every mistake gets exactly the verdict that it must get."""

import re

import pytest
from _pytest.mark import ParameterSet

from exercises import screen
from tests.checkpoints.engine.api import Outcome, Verdict
from tests.mistakes.conftest import SOLUTION, STUB, Runs, exercises
from tests.mistakes.mistake import Mistake, mistakes, one_of_each_code, right_solutions
from tests.mistakes.runner import NOTHING

#: The first test of an exercise waits for the runs of all its targets.
pytestmark = pytest.mark.timeout(600)

_USUAL = one_of_each_code()


def _parameters(solution: Mistake) -> ParameterSet:
    marks = [] if solution in _USUAL else [pytest.mark.thorough]
    name = f"{solution.exercise}-{solution.name}"
    return pytest.param(solution.exercise, solution.name, solution, id=name, marks=marks)


def first_failure(outcomes: list[Outcome]) -> tuple[str, str | None]:
    """The check that fails first, and its code."""
    failed = [outcome for outcome in outcomes if outcome.verdict is not Verdict.PASSED]
    assert failed, "every check passed"
    return failed[0].check, failed[0].code


@pytest.mark.parametrize("target", [STUB])
@pytest.mark.parametrize("exercise", exercises())
def test_the_stub_is_not_implemented(exercise: str, target: str, runs: Runs) -> None:
    outcomes = runs.of(exercise, target)
    assert outcomes
    assert {(outcome.verdict, outcome.code) for outcome in outcomes} == {(Verdict.FAILED, "NOT_IMPLEMENTED")}


@pytest.mark.parametrize("target", [SOLUTION])
@pytest.mark.parametrize("exercise", exercises())
def test_the_solution_passes(exercise: str, target: str, runs: Runs) -> None:
    outcomes = runs.of(exercise, target)
    assert outcomes
    assert [outcome.text for outcome in outcomes if outcome.verdict is not Verdict.PASSED] == []


@pytest.mark.parametrize(("exercise", "target", "right"), [_parameters(solution) for solution in right_solutions()])
def test_another_right_solution_passes(exercise: str, target: str, right: Mistake, runs: Runs) -> None:
    outcomes = runs.of(exercise, target)
    assert outcomes
    assert [outcome.text for outcome in outcomes if outcome.verdict is not Verdict.PASSED] == []


@pytest.mark.parametrize(("exercise", "target", "mistake"), [_parameters(mistake) for mistake in mistakes()])
def test_a_mistake_gets_its_code(exercise: str, target: str, mistake: Mistake, runs: Runs) -> None:
    outcomes = runs.of(exercise, target)
    assert first_failure(outcomes) == (mistake.check, mistake.code), "\n".join(screen.lines(outcomes))


@pytest.mark.parametrize("target", [SOLUTION])
@pytest.mark.parametrize("exercise", exercises())
def test_every_check_catches_a_mistake_that_no_other_catches_first(exercise: str, target: str, runs: Runs) -> None:
    checks = {outcome.check for outcome in runs.of(exercise, target)}
    assert checks - {mistake.check for mistake in mistakes() if mistake.exercise == exercise} == set()


@pytest.mark.parametrize("target", [STUB])
@pytest.mark.parametrize("exercise", exercises())
def test_the_checks_leave_no_thread_process_socket_or_file_behind(exercise: str, target: str, runs: Runs) -> None:
    for ran in runs.all_of(exercise):
        assert ran.left == NOTHING


@pytest.mark.parametrize(("exercise", "target", "mistake"), [_parameters(mistake) for mistake in mistakes()])
def test_a_learner_sees_the_recorded_text(
    exercise: str, target: str, mistake: Mistake, runs: Runs, request: pytest.FixtureRequest
) -> None:
    seen = steady("\n".join(screen.lines(runs.of(exercise, target))) + "\n")
    if request.config.getoption("--record"):
        mistake.learner_text.write_text(seen)
    assert mistake.learner_text.is_file(), "to record it: pytest tests/mistakes --record"
    seen, recorded = once_each(seen), once_each(mistake.learner_text.read_text())
    if mistake.raced:
        assert mistake.raced in recorded
        seen, recorded = (without(mistake.raced, text) for text in (seen, recorded))
    assert seen == recorded, "if the change is intended: pytest tests/mistakes --record"


def once_each(text: str) -> str:
    """The text with repeated requests shown once: their number depends on the speed of the machine."""
    return re.sub(r"^(  -\.-- s  .*\n)\1*(  -\.-- s  … and so on\n)?", r"\1", text, flags=re.MULTILINE)


def without(line: str, text: str) -> str:
    """The text without the lines that end like this one."""
    return "\n".join(other for other in text.split("\n") if not other.endswith(line))


def steady(text: str) -> str:
    """The text without what differs between runs: times, and random values.

    Of the checks after the first failure only the titles: whether they run depends on how many checks before timed
    out, and what they find may depend on who wins a race.
    """
    text = re.sub(r"^ +\d+\.\d\d s  ", "  -.-- s  ", text, flags=re.MULTILINE)
    text = re.sub(r"\b(within|after|at least|deadline of|a pause was) \d+(\.\d+)? s\b", r"\1 … s", text)
    text = re.sub(r"'pid': \d+, 'hostname': 'celery@[^']*'", "'pid': ……, 'hostname': '……'", text)
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:……", text)
    text = re.sub(r"\. Did you mean: '\w+'\?", "", text)  # Python 3.12 and later suggest names
    text = re.sub(r"answer [0-9a-f]{6}", "answer ……", text)
    text = re.sub(r"vendor [0-9a-f]{4}", "vendor ……", text)
    failure, more, after = text.partition("\n  More ")
    return failure + more + re.sub(r"^[✓✗?-] (.*?)(  \(.*\))?$", r"… \1", after, flags=re.MULTILINE)
