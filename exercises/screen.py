"""What a learner sees of a checkpoint: what passed, the first failure in full, and the rest in a line each."""

from collections.abc import Iterable, Sequence
from typing import Any

from tests.checkpoints.engine.api import Outcome, Verdict

_SIGNS = {Verdict.PASSED: "✓", Verdict.FAILED: "✗", Verdict.INCONCLUSIVE: "?"}
_COLOURS = {"✓": "green", "✗": "red", "?": "yellow", "-": "bright_black"}


class Screen:
    """Tells the checks of one exercise as they come. `terse`: of all that are not reached for one reason, only one."""

    def __init__(self, *, terse: bool = False) -> None:
        self._told_in_full: set[Verdict] = set()
        self._terse = terse
        self._why = ""

    def lines(self, outcome: Outcome) -> list[str]:
        """One check, as plain text."""
        if outcome.verdict in {Verdict.FAILED, Verdict.INCONCLUSIVE} - self._told_in_full:
            self._told_in_full.add(outcome.verdict)
            return outcome.text.splitlines()
        if outcome.verdict is Verdict.PASSED:
            more = ""
        elif outcome.verdict is Verdict.NOT_FROM_OUTSIDE:
            what, _, why = outcome.text.partition(": not from outside, ")
            before, self._why = self._why, why
            return [f"{what}: not from outside, {'as above' if why == before else why}"]
        elif outcome.verdict is Verdict.NOT_REACHED and self._terse:
            before, self._why = self._why, outcome.text.rpartition(", ")[2]
            return [] if self._why == before else [outcome.text]
        else:
            more = f"  ({outcome.code or outcome.verdict})"
        return [f"{_SIGNS.get(outcome.verdict, '-')} {outcome.title}{more}"]


def lines(outcomes: Iterable[Outcome]) -> list[str]:
    """The checks of one exercise, in their order, as plain text."""
    screen = Screen()
    return [line for outcome in outcomes for line in screen.lines(outcome)]


def summary(outcomes: Sequence[Outcome]) -> str:
    """How many passed, how many points, how long."""
    made = [outcome for outcome in outcomes if outcome.verdict is not Verdict.NOT_FROM_OUTSIDE]
    passed = sum(outcome.verdict is Verdict.PASSED for outcome in made)
    points, of = sum(outcome.points for outcome in made), sum(outcome.of for outcome in made)
    seconds = sum(outcome.seconds for outcome in outcomes)
    lost = sum(outcome.verdict is Verdict.NOT_REACHED for outcome in made)
    more = f" ({lost} not reached)" if lost else ""
    return f"{passed} of {len(made)} checks{more}, {points} of {of} points, {seconds:.1f} s"


def colour(line: str) -> dict[str, Any]:
    """How to print a line: the arguments of `typer.secho`."""
    if line[:1] in _COLOURS:
        return {"fg": _COLOURS[line[:1]]}
    words = line.split()
    if line.startswith("  ") and words and words[0].endswith(":") and words[0].isupper():
        return {"bold": True}
    return {"fg": "bright_black"} if " s  " in line[:12] else {}
