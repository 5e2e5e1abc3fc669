"""What came of one check, as data: for the learner's screen, for JSON, and for JUnit."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What a check came to."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"  # the machine, not the learner
    NOT_REACHED = "not reached"  # because of what earlier checks found
    NOT_FROM_OUTSIDE = "not from outside"  # it needs the kit's own agent or process


@dataclass(frozen=True)
class Outcome:
    """One check."""

    exercise: str
    target: str
    check: str
    title: str
    verdict: Verdict
    code: str | None
    seconds: float
    points: int
    of: int
    text: str
