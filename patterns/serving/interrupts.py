"""Handling of Ctrl-C, SIGTERM and a closed terminal (SIGHUP): they raise `KeyboardInterrupt`, or are delayed."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def raise_on_interrupts() -> None:
    """Let each of the signals raise `KeyboardInterrupt`. SIGHUP stays ignored under nohup(1).

    A shell starts background jobs with SIGINT ignored, so a handler is needed for SIGINT too.
    """
    for number in _SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)


@contextmanager
def delay_interrupts() -> Iterator[None]:
    """Delay interrupts until the end of the block, so that it cannot be left half-way."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python runs signal handlers in the main thread only
        return
    delayed: list[int] = []
    handlers = {number: signal.signal(number, lambda number, _: delayed.append(number)) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler or signal.SIG_DFL)
        if delayed:
            signal.raise_signal(delayed[0])


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
