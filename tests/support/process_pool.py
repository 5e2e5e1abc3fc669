"""Processes that run parts of a test, and end with the process that started them, however it ends."""

import multiprocessing
import multiprocessing.connection
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.pool import Pool


@contextmanager
def processes(most: int) -> Iterator[Pool]:
    """A pool of at most this many processes. An interrupt ends them in the middle of their work."""
    with multiprocessing.get_context("spawn").Pool(most, initializer=_end_with_parent) as pool:
        yield pool
        pool.close()
        pool.join()  # so that they can clean up


def _end_with_parent() -> None:
    """The processes of a pool would wait for work forever after their parent was killed."""
    parent = multiprocessing.parent_process()
    assert parent

    def end() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=end, daemon=True).start()
