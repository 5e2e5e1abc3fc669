"""Ctrl-C, SIGTERM, and a closed terminal (SIGHUP): turned into `KeyboardInterrupt`, or delayed for a few steps."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_NUMBERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def interrupts_end_it() -> None:
    """Make each raise `KeyboardInterrupt`, also in a shell's background job, which starts with SIGINT ignored.

    SIGHUP stays ignored under nohup(1).
    """
    for number in _NUMBERS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """Delay interrupts until the block has ended: its steps must all be taken, or none."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python runs signal handlers in the main thread only
        return
    held: list[int] = []
    before = {number: signal.signal(number, lambda number, _: held.append(number)) for number in _NUMBERS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
        if held:
            signal.raise_signal(held[0])


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
