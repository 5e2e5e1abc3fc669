"""Ctrl-C may come at any moment, also while the process that starts the learner's code is being talked to."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.checkpoints.engine.api import ForkServer

INTERRUPTS = 200


class Interrupts:
    """Interrupts this thread over and over, but only where it lets them."""

    def __init__(self) -> None:
        self.came = 0
        self.welcome = False
        self._over = threading.Event()

    @contextmanager
    def coming(self) -> Iterator[None]:
        """While these come, SIGINT raises nothing anywhere else."""
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
        if self.welcome:
            self.welcome = False
            self.came += 1
            raise KeyboardInterrupt


def test_an_interrupted_order_does_not_spoil_the_next_one() -> None:
    interrupts = Interrupts()
    next_answers: list[dict[str, Any]] = []
    with ForkServer([]) as forks, interrupts.coming():
        while interrupts.came < INTERRUPTS and not any(next_answers):
            try:
                interrupts.welcome = True
                forks.order({"look": 1})
                interrupts.welcome = False
            except KeyboardInterrupt:
                next_answers.append(forks.order({}))

    assert next_answers == [{}] * INTERRUPTS  # and not the answer to the look
