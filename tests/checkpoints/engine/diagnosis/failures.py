"""What a check can come to, beside passing."""

from dataclasses import dataclass

#: The code of a gap in the stub that was reached: then nothing else is to be said.
NOT_IMPLEMENTED = "NOT_IMPLEMENTED"


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


class AgentNotCalled(Wrong):
    """The agent was not called for a task."""


class WrongStatus(Wrong):
    """The status of a task is no status, or one that cannot come after what it was before."""


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
    """The check needs the kit's own agent or process, and the server is external."""

    why: str
