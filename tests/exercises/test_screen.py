"""The screen output for several checks: the first failure in full, and the codes of the others."""

from exercises.screen import lines
from tests.checkpoints.engine.api import Outcome, Verdict


def outcome(verdict: Verdict, text: str) -> Outcome:
    """An outcome with this verdict and text."""
    code = "SUBMIT_BLOCKS" if verdict is Verdict.FAILED else None
    return Outcome("ex01", "mine", "test_it", "A check", verdict, code, 0.1, 0, 1, text)


def test_only_the_first_failure_is_shown_in_full() -> None:
    shown = lines([outcome(Verdict.FAILED, "✗ A check\n  first"), outcome(Verdict.FAILED, "✗ A check\n  second")])
    assert shown == ["✗ A check", "  first", "✗ A check  (SUBMIT_BLOCKS)"]


def test_a_failure_is_shown_in_full_after_an_inconclusive_check() -> None:
    shown = lines([outcome(Verdict.INCONCLUSIVE, "? A check: stalled"), outcome(Verdict.FAILED, "✗ A check\n  why")])
    assert shown == ["? A check: stalled", "✗ A check", "  why"]
