"""The outcome of a check: turns what it raised into a verdict with a text for the learner."""

import pytest

from tests.checkpoints.engine.actors.environment import CheckEnvironment
from tests.checkpoints.engine.diagnosis import report
from tests.checkpoints.engine.diagnosis.causes import explain
from tests.checkpoints.engine.diagnosis.explanations import Course
from tests.checkpoints.engine.diagnosis.failures import (
    NOT_IMPLEMENTED,
    Inconclusive,
    NotFromOutside,
    NotReached,
    Wrong,
)
from tests.checkpoints.engine.diagnosis.outcome import Outcome, Verdict
from tests.checkpoints.engine.processes.time_limits import TIME_LIMIT_SECONDS, load_factor
from tests.checkpoints.engine.running.items import exercise_of, gap_of, name_of, points_of, target_of, title_of
from tests.checkpoints.engine.running.setup import environment_of, longest_stall

#: If the machine stalled for this part of a deadline, a missed deadline proves nothing.
_STALLED = 0.5


def outcome_of(item: pytest.Item, error: BaseException | None, seconds: float, course: Course) -> Outcome:
    """The outcome of a check that raised `error`, or nothing."""
    title, points, stall = title_of(item), points_of(item), longest_stall(item)
    if isinstance(error, Wrong) and stall > _STALLED * TIME_LIMIT_SECONDS * load_factor():
        error = Inconclusive(f"The machine stalled for {stall:.1f} s during the check. Run the check again.")
    environment, code = environment_of(item), None
    if isinstance(error, Wrong) and environment:
        verdict, text = Verdict.FAILED, _failure(item, error, environment, course)
        code = error.code
    else:
        verdict, text = _other_verdict(title, error)
    scored = points if verdict is Verdict.PASSED else 0
    where = (exercise_of(item), target_of(item), name_of(item))
    return Outcome(*where, title, verdict, code, seconds, scored, points, text)


def _failure(item: pytest.Item, wrong: Wrong, environment: CheckEnvironment, course: Course) -> str:
    """What a learner reads. The output of the processes may change the diagnosis."""
    number, points = course.number(exercise_of(item)), points_of(item)
    raised = explain(wrong, course.explain(wrong.code), environment.timeline, environment.processes, gap_of(item))
    explanation = course.explain(wrong.code)
    lists_gaps = number and not environment.url and wrong.code != NOT_IMPLEMENTED and not explanation.fatal
    lines = report.failed(
        title_of(item),
        wrong,
        explanation,
        environment.timeline,
        raised,
        exercise=number,
        points=f"0 of {points} point" + ("s" if points > 1 else ""),
        still_open=report.gaps(environment.folder) if lists_gaps else "",
    )
    return "\n".join(lines)


def _other_verdict(title: str, error: BaseException | None) -> tuple[Verdict, str]:
    """The verdict on a check that did not find a fault in the learner's code, and its text."""
    if error is None:
        return Verdict.PASSED, ""
    if isinstance(error, NotReached):
        return Verdict.NOT_REACHED, f"- {title}: not reached ({error.why})"
    if isinstance(error, NotFromOutside):
        return Verdict.NOT_FROM_OUTSIDE, f"- {title}: not from outside ({error.why})"
    if isinstance(error, Inconclusive):
        return Verdict.INCONCLUSIVE, f"? {title}: inconclusive. {error.why}"
    broke = f"The kit itself failed: {type(error).__name__}: {error}"
    return Verdict.INCONCLUSIVE, f"? {title}: inconclusive. {broke}"
