"""What a learner sees of several checks: the first failure in full, and of the others the code."""

from exercises.screen import lines
from tests.checkpoints.engine.api import Outcome, Verdict


def outcome(verdict: Verdict, text: str) -> Outcome:
    """A check that came to this."""
    code = "SUBMIT_BLOCKS" if verdict is Verdict.FAILED else None
    return Outcome("ex01", "mine", "test_it", "A check", verdict, code, 0.1, 0, 1, text)


def test_only_the_first_failure_is_told_in_full() -> None:
    told = lines([outcome(Verdict.FAILED, "✗ A check\n  first"), outcome(Verdict.FAILED, "✗ A check\n  second")])
    assert told == ["✗ A check", "  first", "✗ A check  (SUBMIT_BLOCKS)"]


def test_a_failure_is_told_in_full_though_a_check_before_it_was_inconclusive() -> None:
    told = lines([outcome(Verdict.INCONCLUSIVE, "? A check: the machine"), outcome(Verdict.FAILED, "✗ A check\n  why")])
    assert told == ["? A check: the machine", "✗ A check", "  why"]
