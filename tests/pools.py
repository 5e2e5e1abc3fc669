"""Processes that make parts of a test, and end with whoever started them, however that ended."""

import multiprocessing
import multiprocessing.connection
import os
import threading
from concurrent.futures import ProcessPoolExecutor


def processes(most: int) -> ProcessPoolExecutor:
    """A pool of at most so many."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(most, mp_context=context, initializer=_end_with_parent)


def _end_with_parent() -> None:
    """A pool's own processes would go on with what is left to do, and then wait for more, for ever."""
    parent = multiprocessing.parent_process()
    assert parent

    def end() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=end, daemon=True).start()
