"""Ctrl-C, SIGTERM, and a terminal that is closed (SIGHUP): what they end, and what they have to wait for."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_NUMBERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def interrupts_end_it() -> None:
    """Let each raise `KeyboardInterrupt`. A shell starts background jobs with SIGINT ignored. SIGHUP stays ignored
    where it is: nohup(1) is there for that."""
    for number in _NUMBERS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """Hold them back until the block is done: for a few steps of which none may be taken alone."""
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
