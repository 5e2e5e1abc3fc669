"""How a client learns the outcome: the three behaviours that the patterns are designed for.

Each is called with an accepted sample and returns when the outcome is known, the deadline has passed, or the server
no longer knows the id.
"""

import random
import time
from typing import Protocol

import gevent

from benchmarks.load.process.gevent_receiver import GeventReceiver
from benchmarks.load.process.http_client import Answer, Session, status
from benchmarks.records.samples import Sample
from patterns.contract import FINISHED

#: Backoff after an error: a random pause up to this long, doubled each time up to the maximum.
_FIRST_PAUSE_SECONDS = 0.1
_MOST_PAUSE_SECONDS = 2.0


class ClientBehaviour(Protocol):
    """How one kind of client learns the outcome."""

    def __call__(self, session: Session, sample: Sample, deadline: float) -> Answer | None:
        """Return the response with the outcome, or None without one. `deadline` is on time.time()."""


class FixedPoll:
    """Polls every `interval` seconds and ignores `Retry-After`, as most clients do."""

    def __init__(self, interval: float) -> None:
        self._interval = interval

    def __call__(self, session: Session, sample: Sample, deadline: float) -> Answer | None:
        while _pause(self._interval, deadline):
            answer = status(session, sample)
            if answer.http_status == 404:
                return None
            if is_outcome(answer):
                return answer
        return None


class AdaptivePoll:
    """Long-polls, obeys `Retry-After`, and backs off with full jitter after errors."""

    def __init__(self, wait: int, rng: random.Random) -> None:
        self._wait = wait
        self._rng = rng

    def __call__(self, session: Session, sample: Sample, deadline: float) -> Answer | None:
        most = _FIRST_PAUSE_SECONDS
        while (remaining := deadline - time.time()) > 0:
            answer = status(session, sample, wait=max(1, min(self._wait, int(remaining))))
            if answer.http_status == 404:
                return None
            if is_outcome(answer):
                return answer
            if answer.http_status == 200:
                most, pause = _FIRST_PAUSE_SECONDS, answer.retry_after or 0.0
            else:
                pause = answer.retry_after or self._rng.uniform(0, most)
                most = min(2 * most, _MOST_PAUSE_SECONDS)
            if not _pause(pause, deadline):
                return None
        return None


class AwaitCallback:
    """Waits for the server's callback without polling."""

    def __init__(self, receiver: GeventReceiver) -> None:
        self._receiver = receiver

    def __call__(self, session: Session, sample: Sample, deadline: float) -> Answer | None:
        outcome = self._receiver.wait_for(sample.task_id, deadline - time.time())
        if outcome is None:
            return None
        sample.requests += 1
        sample.notified = outcome.at
        return outcome.answer


def is_outcome(answer: Answer) -> bool:
    """Whether the response is a finished task."""
    return answer.http_status == 200 and answer.text("status") in FINISHED


def _pause(seconds: float, deadline: float) -> bool:
    """Sleep, unless the deadline would pass. Returns whether it slept."""
    if time.time() + seconds >= deadline:
        return False
    gevent.sleep(seconds)
    return True
