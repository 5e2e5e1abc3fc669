"""How a client learns the outcome: the three behaviours that the patterns are made for.

Each is called with a sample that was accepted and returns when the outcome is known, or when it is certain
that it will not be: at the deadline, or as soon as the server no longer knows the id.
"""

import random
import time
from typing import Protocol

import gevent

from benchmarks.load.process.gevent_receiver import GeventReceiver
from benchmarks.load.process.http_client import Answer, Session, status
from benchmarks.records.samples import Sample
from patterns.contract import FINISHED

#: A client that gets no answer waits up to this long, then twice that, and so on, but no longer than the most.
_FIRST_PAUSE_SECONDS = 0.1
_MOST_PAUSE_SECONDS = 2.0


class ClientBehaviour(Protocol):
    """A behaviour."""

    def __call__(self, session: Session, sample: Sample, deadline: float) -> Answer | None:
        """The answer with the outcome, or None when there will be none until `deadline`, on time.time()."""


class FixedPoll:
    """Asks every `interval` seconds, whatever the server says. This is what most clients do."""

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
    """Lets the server hold each answer, obeys its `Retry-After`, and backs off with full jitter from errors."""

    def __init__(self, wait: int, chance: random.Random) -> None:
        self._wait = wait
        self._chance = chance

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
                pause = answer.retry_after or self._chance.uniform(0, most)
                most = min(2 * most, _MOST_PAUSE_SECONDS)
            if not _pause(pause, deadline):
                return None
        return None


class AwaitCallback:
    """Asks nothing, and waits for the server's POST."""

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
    """Whether it is a task that never changes again."""
    return answer.http_status == 200 and answer.text("status") in FINISHED


def _pause(seconds: float, deadline: float) -> bool:
    """Wait, and say whether the deadline is still to come."""
    if time.time() + seconds >= deadline:
        return False
    gevent.sleep(seconds)
    return True
