"""What a check can come to, beside passing."""

from dataclasses import dataclass


class NotPassed(Exception):
    """A check did not pass. Each kind says whose doing it is."""


@dataclass
class Wrong(NotPassed):
    """The learner's code does something that it must not. `code` names the diagnosis.

    `seen` is a last line of the timeline; `likely` and `next_step` replace the diagnosis's own where this
    exercise knows better.
    """

    code: str
    seen: str = ""
    likely: str = ""
    next_step: str = ""


@dataclass
class Inconclusive(NotPassed):
    """The machine stood in the way, not the learner: nothing is known about the code."""

    why: str


@dataclass
class NotReached(NotPassed):
    """The check was not made, because of what the checks before it found."""

    why: str


@dataclass
class NotFromOutside(NotPassed):
    """The check needs the kit's own agent or process, and the server is somebody else's."""

    why: str
