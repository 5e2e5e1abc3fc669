"""What a learner sees of a checkpoint: what passed, the first failure in full, and the rest in a line each."""

from collections.abc import Sequence

from tests.checkpoints.outcome import Outcome, Verdict

_SIGNS = {Verdict.PASSED: "✓", Verdict.FAILED: "✗", Verdict.INCONCLUSIVE: "?"}


def lines(outcomes: Sequence[Outcome]) -> list[str]:
    """The checks of one exercise, in their order, as plain text."""
    told: list[str] = []
    first = True
    for outcome in outcomes:
        if outcome.verdict in {Verdict.FAILED, Verdict.INCONCLUSIVE} and first:
            told += outcome.text.splitlines()
            first = False
        elif outcome.verdict is Verdict.FAILED:
            told.append(f"✗ {outcome.title}  ({outcome.code})")
        else:
            more = "" if outcome.verdict is Verdict.PASSED else f"  ({outcome.verdict})"
            told.append(f"{_SIGNS.get(outcome.verdict, '-')} {outcome.title}{more}")
    return told
