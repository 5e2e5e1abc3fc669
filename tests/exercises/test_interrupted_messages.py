"""Ctrl-C may come at any moment, even during a message to the process that starts the learner's code."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.checkpoints.engine.api import ForkServer

INTERRUPTS = 200


class Interrupts:
    """Interrupts this thread repeatedly, but only when it allows that."""

    def __init__(self) -> None:
        self.came = 0
        self.allowed = False
        self._over = threading.Event()

    @contextmanager
    def coming(self) -> Iterator[None]:
        """Send interrupts during the block. SIGINT has no other effect."""
        before = signal.signal(signal.SIGINT, self._interrupt)
        sender = threading.Thread(target=self._send, args=[threading.get_ident()])
        sender.start()
        try:
            yield
        finally:
            self._over.set()
            sender.join()
            signal.signal(signal.SIGINT, before)

    def _send(self, to: int) -> None:
        while not self._over.wait(0.0005):
            signal.pthread_kill(to, signal.SIGINT)

    def _interrupt(self, *_: object) -> None:
        if self.allowed:
            self.allowed = False
            self.came += 1
            raise KeyboardInterrupt


def test_an_interrupted_order_does_not_affect_the_next() -> None:
    interrupts = Interrupts()
    next_replies: list[dict[str, Any]] = []
    with ForkServer([]) as forks, interrupts.coming():
        while interrupts.came < INTERRUPTS and not any(next_replies):
            try:
                interrupts.allowed = True
                forks.order({"look": 1})
                interrupts.allowed = False
            except KeyboardInterrupt:
                next_replies.append(forks.order({}))

    assert next_replies == [{}] * INTERRUPTS  # not the reply to the interrupted order
