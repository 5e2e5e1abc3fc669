"""The outcome of one check, as data: for the learner's screen, for JSON, and for JUnit."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """The verdict on a check."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"  # the machine, not the learner
    NOT_REACHED = "not reached"  # not run, because of what earlier checks found
    NOT_FROM_OUTSIDE = "not from outside"  # not run: it needs the kit's agent or a process of the kit


@dataclass(frozen=True)
class Outcome:
    """The outcome of one check."""

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
