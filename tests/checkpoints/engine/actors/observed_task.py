"""A task on a running server, and every response about it."""

import threading
from dataclasses import dataclass, field

from tests.checkpoints.engine.http.http_client import NoResponse, Response
from tests.checkpoints.engine.http.wire import finished, task_in, word_in

#: A server that was asked to wait for a second or more has not waited if it responds before this.
_LEAST_HELD_SECONDS = 0.5


@dataclass(frozen=True)
class Exchange:
    """One request and its response. Times are from `time.monotonic()`."""

    what: str
    answer: Response
    sent: float
    at: float

    @property
    def word(self) -> str:
        """The status in the response."""
        return word_in(self.answer)

    @property
    def finished(self) -> bool:
        """Whether the task in the response is finished."""
        return finished(self.answer)


@dataclass(eq=False)
class ObservedTask:
    """A task, and all responses about it. Written by its own thread; the events signal how far that thread is."""

    name: str
    prompt: str
    submit: Exchange | None = None
    polls: list[Exchange] = field(default_factory=list)
    held: list[Exchange] = field(default_factory=list)  # responses to `Prefer: wait`
    cancels: list[Exchange] = field(default_factory=list)
    lost: NoResponse | None = None  # why observing it ended
    answered: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    held_over: threading.Event = field(default_factory=threading.Event)  # no response about it is held any more

    @property
    def task_id(self) -> str:
        """The task id; empty if there is none."""
        found = task_in(self.submit.answer).get("task_id") if self.submit else None
        return found if isinstance(found, str) else ""

    @property
    def path(self) -> str:
        """The path of its status."""
        return f"/agent/status/{self.task_id}"

    @property
    def known(self) -> list[Exchange]:
        """The responses of the status route that contain the task."""
        return [exchange for exchange in self.polls if exchange.answer.status == 200]

    @property
    def last(self) -> Exchange | None:
        """The last poll."""
        return self.polls[-1] if self.polls else None


def held_back(exchange: Exchange) -> bool:
    """Whether a response to `Prefer: wait` was held for half a second, and the task was still not finished."""
    return not exchange.finished and exchange.at - exchange.sent >= _LEAST_HELD_SECONDS
