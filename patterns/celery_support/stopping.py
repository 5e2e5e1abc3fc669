"""How a worker stops: on SIGTERM running tasks get the grace period, and what is left goes back to the broker.

Celery has a warm shutdown, which waits for running tasks without limit, and a cold one, which puts them back. Its
soft shutdown combines the two, but sleeps for its whole timeout even if the tasks end sooner. Here SIGTERM stops the
consumer; the warm shutdown follows as soon as no task is running, and the cold one when the grace period is over or
SIGTERM comes again.
"""

import os
import signal
import sys
import threading
from typing import Any

from celery import signals
from celery.concurrency.prefork import TaskPool
from celery.worker import state

from patterns.celery_support.app import process_settings

_LOOK_EVERY_SECONDS = 0.05
#: An event loop that does nothing for so long is stuck in a call: the broker does not answer it.
_STUCK_SECONDS = 2.0
#: Agents in the worker's own process look every half a second whether they have to end, and may clean up for a second.
_AGENTS_END_SECONDS = 2.0

#: Set when the grace period is over. Pool processes get a signal; agents in the worker's own process end by this.
grace_is_over = threading.Event()


class WorkerStopping(BaseException):
    """Raised in an agent when its worker stops. Its task is run again. Not an `Exception`, as `TaskEnded`."""


def stop_within_the_grace_period() -> None:
    """Replace the way in which this process's worker stops, if it becomes one."""
    signals.worker_init.connect(_silence)
    signals.worker_ready.connect(_handle_sigterm)


def _handle_sigterm(sender: Any, **_: object) -> None:
    """Replace Celery's handler. Until the worker is ready no task is running, and Celery's own is right."""
    signal.signal(signal.SIGTERM, _Stop(sender, process_settings().grace_seconds).on_signal)


def _silence(**_: object) -> None:
    """Celery announces each step of a shutdown on the original standard output, at every log level."""
    sys.__stdout__ = None  # type: ignore[misc]  # Celery then says nothing; print() and sys.stdout are not affected


class _Stop:
    """The stop of one worker. Signal handlers run in the middle of the event loop, so they only start a thread."""

    def __init__(self, consumer: Any, grace_seconds: float) -> None:
        self._consumer = consumer
        self._grace_seconds = grace_seconds
        self._thread = threading.Thread(target=self._run, name="stop", daemon=True)
        self._time_is_up = threading.Event()
        self._cold = threading.Event()
        self._idle = threading.Event()

    def on_signal(self, *_: object) -> None:
        if self._thread.ident is None:
            self._thread.start()
        else:
            self._time_is_up.set()

    def _run(self) -> None:
        self._consumer.hub.call_soon(self._wait_for_tasks)
        self._time_is_up.wait(self._grace_seconds)
        grace_is_over.set()
        if not isinstance(self._consumer.pool, TaskPool) and self._idle.wait(_AGENTS_END_SECONDS):
            return  # a cold shutdown would end processes only
        self._consumer.hub.call_soon(self._shut_down_cold)
        if not self._cold.wait(_STUCK_SECONDS):
            os.kill(os.getpid(), signal.SIGQUIT)

    def _shut_down_cold(self) -> None:
        """In the event loop, and as its last step: the next one would ask the pool, which is gone by then."""
        self._cold.set()
        signal.raise_signal(signal.SIGQUIT)
        state.maybe_shutdown()

    def _wait_for_tasks(self) -> None:
        """In the event loop: take no more messages, and look whether tasks still run."""
        if self._consumer.task_consumer:
            self._consumer.task_consumer.cancel()
        self._consumer.hub.call_repeatedly(_LOOK_EVERY_SECONDS, self._look)

    def _look(self) -> None:
        if not state.reserved_requests:  # the active ones, and those that no process has begun yet
            self._idle.set()
            state.should_stop = os.EX_OK  # the warm shutdown, which finds nothing to wait for
