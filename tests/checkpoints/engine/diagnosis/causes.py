"""Why a check failed, according to what the learner's processes printed. It replaces a less specific diagnosis."""

import re
from collections.abc import Sequence

from tests.checkpoints.engine.diagnosis.explanations import Explanation
from tests.checkpoints.engine.diagnosis.failures import NOT_IMPLEMENTED, Wrong
from tests.checkpoints.engine.diagnosis.framework_errors import last_error
from tests.checkpoints.engine.diagnosis.framework_errors import meaning as framework_meaning
from tests.checkpoints.engine.diagnosis.learner_output import LearnerOutput, Raised, raised_in, unawaited_in
from tests.checkpoints.engine.diagnosis.timeline import Timeline
from tests.checkpoints.engine.diagnosis.unawaited import HANDED_OVER, MEANING

_HANDS_OVER = re.compile(r"\b(add_task|call_later|call_soon|delay|Thread|submit)\(")
_OWN_MISTAKE = re.compile(r"(Attribute|Import|Index|ModuleNotFound|Name|Type|UnboundLocal)Error\b")


def explain(
    wrong: Wrong, explanation: Explanation, timeline: Timeline, processes: Sequence[LearnerOutput], gap: str | None
) -> Raised | None:
    """What to show of the learner's code. If it says more than the diagnosis, it replaces the diagnosis.

    A gap of the stub that was reached is the only cause shown; `gap` is the only gap that can make this check fail.
    """
    raised = next(filter(None, map(raised_in, reversed(processes))), None)
    if raised and raised.error.startswith("NotImplementedError"):
        if gap is not None and gap not in raised.error:
            return None
        wrong.code, wrong.likely, wrong.next_step = NOT_IMPLEMENTED, "", ""
        return raised
    unawaited = next(filter(None, map(unawaited_in, reversed(processes))), None)
    if unawaited and (raised is None or "coroutine" in raised.error):
        if ("sleep" if "'sleep'" in unawaited.error else "coroutine") in explanation.explained_by:
            wrong.likely, wrong.next_step = HANDED_OVER if _HANDS_OVER.search(unawaited.source) else MEANING
        return unawaited
    if raised and not explanation.shows_exceptions:
        return None  # it was caught, or intended
    if raised and (cause := _meaning(wrong, explanation, raised)):
        wrong.likely, wrong.next_step = cause
    elif not raised and not wrong.likely:
        _note_framework_error(wrong, timeline, processes)
    return raised


def _meaning(wrong: Wrong, explanation: Explanation, raised: Raised) -> tuple[str, str] | None:
    if "'coroutine' object" in raised.error:
        return MEANING
    if "object has no attribute 'encode'" in raised.error:
        return (
            "a header's value is not a string: a number cannot be sent as it is.",
            'write the value as a string: `{"Retry-After": "5"}`, or `str(seconds)`.',
        )
    if "exception" in explanation.explained_by and not wrong.likely:
        return (
            "this exception was raised before the work: it may have ended what should have worked on the task.",
            "look at the values in the line above, then fix that line or the code that calls it.",
        )
    if "mistake" in explanation.explained_by and _OWN_MISTAKE.match(raised.error):
        return (
            "there is a mistake in your code: nothing after the line above was run.",
            "look at the values in that line, then fix it or the code that calls it.",
        )
    return None


def _note_framework_error(wrong: Wrong, timeline: Timeline, processes: Sequence[LearnerOutput]) -> None:
    for error in map(last_error, (process.output for process in processes)):
        likely, next_step = framework_meaning(error)
        if likely:
            timeline.note(f"the process printed {error}")
            wrong.likely, wrong.next_step = likely, next_step
