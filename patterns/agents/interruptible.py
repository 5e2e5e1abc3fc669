"""Interrupts Python code in the main thread from another thread.

A signal makes a blocking call return early, and the signal handler raises an exception in the interrupted code. Python
runs signal handlers in the main thread only. Celery's soft time limit uses the same signal.
"""

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNAL = signal.SIGUSR1  # billiard's SIG_SOFT_TIMEOUT


class Interruptible:
    """A block that is interrupted at most once, so its cleanup is not interrupted. Outside the main thread: never.

    A soft time limit that is exceeded just before the end of the block does not interrupt the code after it.
    """

    def __init__(self) -> None:
        #: The exception that interrupted the block.
        self.cause: BaseException | None = None
        self._open = False
        self._main = threading.current_thread() is threading.main_thread()
        self._leaving = threading.Lock()
        self._previous: Callable[[int, FrameType | None], Any] | int | None = None

    def __enter__(self) -> Self:
        if self._main:
            self._previous = signal.signal(_SIGNAL, self._on_signal)
            self._open = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._main:
            try:
                with self._leaving:  # a pending interruption is raised here at the latest
                    self._open = False
            finally:
                signal.signal(_SIGNAL, self._previous)

    def interrupt(self, cause: BaseException) -> None:
        """Raise `cause` in the block, unless it has ended or was interrupted. Called from another thread."""
        with self._leaving:
            if self._open:
                self.cause = cause
                signal.pthread_kill(threading.main_thread().ident or 0, _SIGNAL)

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        if not self._open:
            return
        if self.cause is None and callable(self._previous):
            try:
                self._previous(signum, frame)  # Celery's handler raises SoftTimeLimitExceeded
            except BaseException as error:
                self.cause = error
        if self.cause is not None:
            self._open = False
            raise self.cause
