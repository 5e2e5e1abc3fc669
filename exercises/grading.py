"""The result of a run of checkpoints for programs: points per check, one exit code, JSON."""

from collections.abc import Sequence
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from typing import Any

from exercises.checking import Checked
from exercises.course import course
from tests.checkpoints.engine.api import Outcome, Verdict

#: Changes if a field is removed or its meaning changes, not if a field is added.
FORMAT = 1


class Result(StrEnum):
    """The result of a run, or of an exercise in it."""

    PASSED = "passed"
    FAILED = "failed"
    COULD_NOT_RUN = "could not run"  # the machine prevented it, or there was nothing to check


#: The exit codes of `kit check`.
EXIT_CODES = {Result.PASSED: 0, Result.FAILED: 1, Result.COULD_NOT_RUN: 2}


def result(outcomes: Sequence[Outcome]) -> Result:
    """FAILED if any check failed; PASSED if every check passed, and there was at least one."""
    verdicts = {outcome.verdict for outcome in outcomes} - {Verdict.NOT_FROM_OUTSIDE}
    if Verdict.FAILED in verdicts:
        return Result.FAILED
    return Result.PASSED if verdicts == {Verdict.PASSED} else Result.COULD_NOT_RUN


def result_of(checked: Checked) -> Result:
    """The result of a whole run, from the results of its exercises."""
    results = {result(list(outcomes)) for _, outcomes in by_exercise(checked.outcomes)}
    if Result.FAILED in results:
        return Result.FAILED
    return Result.PASSED if results == {Result.PASSED} and not checked.problems else Result.COULD_NOT_RUN


def by_exercise(outcomes: Sequence[Outcome]) -> list[tuple[str, list[Outcome]]]:
    """The outcomes grouped by the folder name of their exercise, in order."""
    return [(name, list(group)) for name, group in groupby(outcomes, key=lambda outcome: outcome.exercise)]


def as_json(checked: Checked, target: str) -> dict[str, Any]:
    """The whole run as JSON. Times are wall-clock seconds; points are whole numbers."""
    return {
        "format": FORMAT,
        "kit": _kit_version(),
        "target": target,
        "result": result_of(checked),
        "points": sum(outcome.points for outcome in checked.outcomes),
        "of": _of(checked.outcomes),
        "exercises": [_exercise(folder, outcomes) for folder, outcomes in by_exercise(checked.outcomes)],
        "problems": checked.problems,
    }


def _exercise(folder: str, outcomes: list[Outcome]) -> dict[str, Any]:
    known = next((exercise for exercise in course() if exercise.folder == folder), None)
    return {
        "exercise": known.name if known else folder,
        "number": known.number if known else None,
        "result": result(outcomes),
        "points": sum(outcome.points for outcome in outcomes),
        "of": _of(outcomes),
        "seconds": round(sum(outcome.seconds for outcome in outcomes), 3),
        "checks": [
            {
                "check": outcome.check.removeprefix("test_"),
                "title": outcome.title,
                "verdict": outcome.verdict,
                "code": outcome.code,
                "seconds": round(outcome.seconds, 3),
                "points": outcome.points,
                "of": outcome.of,
                "text": outcome.text or None,
            }
            for outcome in outcomes
        ],
    }


def _of(outcomes: Sequence[Outcome]) -> int:
    return sum(outcome.of for outcome in outcomes if outcome.verdict is not Verdict.NOT_FROM_OUTSIDE)


def _kit_version() -> str:
    try:
        return version("longjobs-kit")
    except PackageNotFoundError:  # run from a copy that was never installed
        return "unknown"
