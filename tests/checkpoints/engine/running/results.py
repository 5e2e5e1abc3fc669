"""The outcomes of a run so far, and whether the next check is still worth running."""

from dataclasses import dataclass

import pytest

from tests.checkpoints.engine.diagnosis.explanations import Course
from tests.checkpoints.engine.diagnosis.failures import NotReached
from tests.checkpoints.engine.diagnosis.outcome import Outcome, Verdict
from tests.checkpoints.engine.processes.time_limits import TIME_LIMIT_SECONDS
from tests.checkpoints.engine.running.items import exercise_of, is_checked, target_of
from tests.checkpoints.engine.running.outcomes import outcome_of
from tests.checkpoints.engine.running.setup import last_wait

#: A check that failed by timing out had a gap this long in its timeline; one that found a fault at once, milliseconds.
_WAITED_SECONDS = 0.9 * TIME_LIMIT_SECONDS
#: After this many timeouts the remaining checks are skipped: the learner has enough to read.
_ENOUGH_IN_VAIN = 2


@dataclass
class _TargetState:
    """What the checks of one checkpoint have found in one target so far."""

    in_vain: int = 0
    hopeless: str = ""  # why no other check can pass


class Results:
    """The outcomes of a run."""

    def __init__(self, course: Course) -> None:
        self._course = course
        self._states: dict[tuple[str, str], _TargetState] = {}

    def must_be_worth_making(self, item: pytest.Item) -> None:
        """Raise `NotReached` for a check that cannot find anything new."""
        state = self._state(item)
        if state.hopeless:
            raise NotReached(state.hopeless)
        if state.in_vain >= _ENOUGH_IN_VAIN and not item.get_closest_marker("independent"):
            raise NotReached("earlier checks timed out")

    def report(self, item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
        """Give a check one outcome, and its pytest report the text for the learner."""
        if not is_checked(item) or call.when == "teardown":
            return
        error = call.excinfo.value if call.excinfo else None
        if call.when == "setup" and error is None:
            return
        waited = last_wait(item)
        outcome = outcome_of(item, error, call.duration, self._course)  # for a concurrent check: the time it added
        self._learn(item, outcome, waited)
        if error is not None:
            report.when = "call"  # a check that was not reached counts as failed, not as an error of the test run
            report.outcome = "skipped" if outcome.verdict is Verdict.NOT_FROM_OUTSIDE else "failed"
            report.longrepr = outcome.text if report.failed else (str(item.path), 0, outcome.text)
        # On the item, not on this report: JUnit XML takes the properties from the last report, of the teardown.
        item.user_properties += [
            ("verdict", outcome.verdict.value),
            ("code", outcome.code or ""),
            ("points", f"{outcome.points}/{outcome.of}"),
        ]
        item.config.hook.pytest_check_finished(outcome=outcome)

    def _learn(self, item: pytest.Item, outcome: Outcome, waited: float) -> None:
        state = self._state(item)
        if outcome.verdict is Verdict.FAILED and waited > _WAITED_SECONDS:
            state.in_vain += 1
        if outcome.code == "CRASHED" and item.config.getoption("--url"):
            state.hopeless = "the server has stopped"
        if outcome.verdict is Verdict.FAILED and item.config.getoption("--first-failure"):
            state.hopeless = "an earlier check failed"
        if outcome.code and (fatal := self._course.explain(outcome.code).fatal):
            state.hopeless = fatal

    def _state(self, item: pytest.Item) -> _TargetState:
        return self._states.setdefault((exercise_of(item), target_of(item)), _TargetState())
