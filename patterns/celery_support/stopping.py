"""The shutdown of a worker: on SIGTERM running tasks get the grace period, then they go back to the broker.

Celery has a warm shutdown, which waits for running tasks without limit, and a cold one, which returns them to the
broker. Its soft shutdown combines both, but always sleeps for its whole timeout. Here SIGTERM stops the consumer. The
warm shutdown follows as soon as no task is running, or the cold one at the end of the grace period or at a second
SIGTERM.
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

_CHECK_SECONDS = 0.05
#: If the event loop does not react within this time, it is blocked in a call to a broker that does not reply.
_STUCK_SECONDS = 2.0
#: Agents in the worker's main process check every half second whether they must stop, and may clean up for a second.
_AGENTS_STOP_SECONDS = 2.0

#: Set at the end of the grace period. It stops agents in the worker's main process; pool processes get a signal.
grace_is_over = threading.Event()


class WorkerStopping(BaseException):
    """Raised in an agent when its worker stops; its task runs again. Like `TaskEnded`, not an `Exception`."""


def stop_within_the_grace_period() -> None:
    """Replace Celery's shutdown, if this process becomes a worker."""
    signals.worker_init.connect(_silence)
    signals.worker_ready.connect(_handle_sigterm)


def _handle_sigterm(sender: Any, **_: object) -> None:
    """Replace Celery's signal handler once the worker is ready. Before that, no task is running."""
    signal.signal(signal.SIGTERM, _Stop(sender, process_settings().grace_seconds).on_signal)


def _silence(**_: object) -> None:
    """Suppress the messages about a shutdown that Celery writes to `sys.__stdout__` at every log level."""
    sys.__stdout__ = None  # type: ignore[misc]  # print() and sys.stdout are not affected


class _Stop:
    """The shutdown of one worker. The signal handler interrupts the event loop, so it only starts a thread."""

    def __init__(self, consumer: Any, grace_seconds: float) -> None:
        self._consumer = consumer
        self._grace_seconds = grace_seconds
        self._thread = threading.Thread(target=self._run, name="stop", daemon=True)
        self._cold = threading.Event()
        self._idle = threading.Event()

    def on_signal(self, *_: object) -> None:
        if self._thread.ident is None:
            self._thread.start()
        else:
            grace_is_over.set()

    def _run(self) -> None:
        self._consumer.hub.call_soon(self._wait_for_tasks)
        grace_is_over.wait(self._grace_seconds)
        grace_is_over.set()
        if not isinstance(self._consumer.pool, TaskPool) and self._idle.wait(_AGENTS_STOP_SECONDS):
            return  # a cold shutdown would only end pool processes
        self._consumer.hub.call_soon(self._shut_down_cold)
        if not self._cold.wait(_STUCK_SECONDS):
            os.kill(os.getpid(), signal.SIGQUIT)

    def _shut_down_cold(self) -> None:
        """Called in the event loop. It must not return to it, because the pool no longer exists."""
        self._cold.set()
        signal.raise_signal(signal.SIGQUIT)
        state.maybe_shutdown()

    def _wait_for_tasks(self) -> None:
        """Called in the event loop: stop consuming messages, and check whether tasks are still running."""
        if self._consumer.task_consumer:
            self._consumer.task_consumer.cancel()
        self._consumer.hub.call_repeatedly(_CHECK_SECONDS, self._stop_if_idle)

    def _stop_if_idle(self) -> None:
        if not state.reserved_requests:  # running tasks, and those that no pool process has started yet
            self._idle.set()
            state.should_stop = os.EX_OK  # the warm shutdown, which then has nothing to wait for
