"""The processes that a test has started, found by an environment variable that they inherit."""

import psutil


def running(mark: str) -> list[psutil.Process]:
    """The processes that have this variable, without zombies."""
    found = []
    for process in psutil.process_iter():
        try:
            if mark in process.environ() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            pass
    return found
