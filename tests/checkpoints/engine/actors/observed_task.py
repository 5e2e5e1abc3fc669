"""A task on a server that runs already, and every answer about it."""

import threading
from dataclasses import dataclass, field

from tests.checkpoints.engine.http.http_client import Answer, NoAnswer
from tests.checkpoints.engine.http.wire import finished, task_in, word_in

#: Whoever was asked to wait for a second, or for more, has not done so before this.
_LEAST_HELD_SECONDS = 0.5


@dataclass(frozen=True)
class Exchange:
    """One request, and its answer. Moments of `time.monotonic()`."""

    what: str
    answer: Answer
    sent: float
    at: float

    @property
    def word(self) -> str:
        """The status that it told."""
        return word_in(self.answer)

    @property
    def finished(self) -> bool:
        """Whether it told an outcome."""
        return finished(self.answer)


@dataclass(eq=False)
class ObservedTask:
    """A task, and all that was answered about it. Written by its own thread; the events say how far that is."""

    name: str
    prompt: str
    submit: Exchange | None = None
    polls: list[Exchange] = field(default_factory=list)
    held: list[Exchange] = field(default_factory=list)  # answers to `Prefer: wait`
    cancels: list[Exchange] = field(default_factory=list)
    lost: NoAnswer | None = None  # why nothing more is known of it
    answered: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    held_over: threading.Event = field(default_factory=threading.Event)  # no answer of it is held any more

    @property
    def task_id(self) -> str:
        """Its id; empty when there is none."""
        found = task_in(self.submit.answer).get("task_id") if self.submit else None
        return found if isinstance(found, str) else ""

    @property
    def path(self) -> str:
        """Where its status is."""
        return f"/agent/status/{self.task_id}"

    @property
    def known(self) -> list[Exchange]:
        """The answers of the status route that told the task."""
        return [exchange for exchange in self.polls if exchange.answer.status == 200]

    @property
    def last(self) -> Exchange | None:
        """What was seen last."""
        return self.polls[-1] if self.polls else None


def held_back(exchange: Exchange) -> bool:
    """Whether an answer to `Prefer: wait` says, after half a second at least, that it is not finished."""
    return not exchange.finished and exchange.at - exchange.sent >= _LEAST_HELD_SECONDS
