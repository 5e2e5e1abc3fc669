"""Runs a function in its own daemon thread."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def in_background(do: Callable[[], T]) -> "Future[T]":
    """Call a function in a daemon thread, which does not delay the end of the process."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(do())
        except BaseException as error:  # raised by `Future.result`
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future
