"""The screen output of a checkpoint: the first failure in full, everything else in one line each."""

from collections.abc import Iterable, Sequence
from typing import Any

from tests.checkpoints.engine.api import Outcome, Verdict

_SIGNS = {Verdict.PASSED: "✓", Verdict.FAILED: "✗", Verdict.INCONCLUSIVE: "?"}
_COLOURS = {"✓": "green", "✗": "red", "?": "yellow", "-": "bright_black"}


class Screen:
    """Formats the outcomes of one exercise in order. `terse`: shows only the first of several checks not
    reached for the same reason."""

    def __init__(self, *, terse: bool = False) -> None:
        self._shown_in_full: set[Verdict] = set()
        self._terse = terse
        self._why = ""

    def lines(self, outcome: Outcome) -> list[str]:
        """The lines for one outcome, as plain text."""
        if outcome.verdict in {Verdict.FAILED, Verdict.INCONCLUSIVE} - self._shown_in_full:
            self._shown_in_full.add(outcome.verdict)
            return outcome.text.splitlines()
        if outcome.verdict is Verdict.PASSED:
            more = ""
        elif outcome.verdict is Verdict.NOT_FROM_OUTSIDE:
            before, self._why = self._why, _reason(outcome)
            reason = "as above" if self._why == before else self._why
            return [f"- {outcome.title}: {outcome.verdict} ({reason})"]
        elif outcome.verdict is Verdict.NOT_REACHED and self._terse:
            before, self._why = self._why, _reason(outcome)
            return [] if self._why == before else [outcome.text]
        else:
            more = f"  ({outcome.code or outcome.verdict})"
        return [f"{_SIGNS.get(outcome.verdict, '-')} {outcome.title}{more}"]


def _reason(outcome: Outcome) -> str:
    """Why a check was not run: what is in parentheses after its title and verdict."""
    return outcome.text.removeprefix(f"- {outcome.title}: {outcome.verdict} (").removesuffix(")")


def lines(outcomes: Iterable[Outcome]) -> list[str]:
    """The lines for all outcomes of one exercise, as plain text."""
    screen = Screen()
    return [line for outcome in outcomes for line in screen.lines(outcome)]


def summary(outcomes: Sequence[Outcome]) -> str:
    """The number of passed checks, the points, and the time."""
    made = [outcome for outcome in outcomes if outcome.verdict is not Verdict.NOT_FROM_OUTSIDE]
    passed = sum(outcome.verdict is Verdict.PASSED for outcome in made)
    points, of = sum(outcome.points for outcome in made), sum(outcome.of for outcome in made)
    seconds = sum(outcome.seconds for outcome in outcomes)
    lost = sum(outcome.verdict is Verdict.NOT_REACHED for outcome in made)
    more = f" ({lost} not reached)" if lost else ""
    return f"{passed} of {len(made)} checks{more}, {points} of {of} points, {seconds:.1f} s"


def colour(line: str) -> dict[str, Any]:
    """The style of a line, as arguments of `typer.secho`."""
    if line[:1] in _COLOURS:
        return {"fg": _COLOURS[line[:1]]}
    words = line.split()
    if line.startswith("  ") and words and words[0].endswith(":") and words[0].isupper():
        return {"bold": True}
    return {"fg": "bright_black"} if " s  " in line[:12] else {}
