"""The outcomes of a check other than passing."""

from dataclasses import dataclass

#: The code for a gap in the stub that was reached: then it is the only diagnosis.
NOT_IMPLEMENTED = "NOT_IMPLEMENTED"


class NotPassed(Exception):
    """A check did not pass. Each subclass names the cause: the learner's code, the machine, or the kind of check."""


@dataclass
class Wrong(NotPassed):
    """The learner's code does something wrong. `code` names the diagnosis.

    `seen` is the last line of the timeline; `likely` and `next_step` replace those of the diagnosis if this
    check knows more.
    """

    code: str
    seen: str = ""
    likely: str = ""
    next_step: str = ""


class AgentNotCalled(Wrong):
    """The agent was not called for a task."""


class WrongStatus(Wrong):
    """The status of a task is not in the contract, or cannot follow the status before it."""


@dataclass
class Inconclusive(NotPassed):
    """The machine prevented the check: it says nothing about the learner's code."""

    why: str


@dataclass
class NotReached(NotPassed):
    """The check was not run, because of what earlier checks found."""

    why: str


@dataclass
class NotFromOutside(NotPassed):
    """The check needs the kit's agent or a process of the kit, and the server is external."""

    why: str
