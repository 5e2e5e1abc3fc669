"""What the engine must know of the course that it checks. The course passes it in; the engine imports none of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Explanation(Protocol):
    """What the course says about a diagnosis code."""

    @property
    def title(self) -> str:
        """The cause in one line."""

    @property
    def likely(self) -> str:
        """The usual reason for it."""

    @property
    def next_step(self) -> str:
        """What to try."""

    @property
    def explained_by(self) -> frozenset[str]:
        """What explains it in the learner's output: `coroutine`, `sleep`, `exception`, `mistake`."""

    @property
    def shows_exceptions(self) -> bool:
        """Whether to show an exception in the learner's output with it."""

    @property
    def fatal(self) -> str:
        """Why no other checks are run after it; empty if they are."""


@dataclass(frozen=True)
class Course:
    """How to look up a diagnosis by its code, and the number of an exercise by the name of its folder."""

    explain: Callable[[str], Explanation]
    number: Callable[[str], int | None]
