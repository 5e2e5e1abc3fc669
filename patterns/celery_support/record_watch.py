"""Watches a running task for its worker: stops the agent on a cancel, on a timeout, or when the worker stops."""

import logging
import math
import os
import time
from contextlib import suppress

from billiard import current_process
from billiard.common import terminate_handler_fired
from billiard.pool import EX_RECYCLE
from celery.exceptions import SoftTimeLimitExceeded
from redis.exceptions import RedisError

from patterns.agents.running import TaskEnded, checked_report
from patterns.celery_support.app import process_settings
from patterns.celery_support.stopping import WorkerStopping, grace_is_over
from patterns.celery_support.worker import records, timeout_message
from patterns.contract import ErrorCode

logger = logging.getLogger("longjobs")


class RecordWatch:
    """Stops the agent of one task if it was cancelled, has timed out, or the worker is stopping."""

    def __init__(self, task_id: str) -> None:
        self._task_id = task_id
        # A pool process gets Celery's soft time limit as a signal. The other pools have no time limits.
        seconds = math.inf if in_pool_process() else process_settings().task_timeout_seconds
        self._deadline = time.monotonic() + seconds

    def report_progress(self, percent: int, message: str | None = None) -> None:
        """Write the progress and the message. Raises the exception that must stop the agent, as `stop_reason` does."""
        if time.monotonic() > self._deadline:
            raise SoftTimeLimitExceeded
        if grace_is_over.is_set():
            raise WorkerStopping
        if not records().progress(self._task_id, *checked_report(percent, message)):
            raise TaskEnded

    def stop_reason(self) -> BaseException | None:
        """The exception that must stop the agent now, or None."""
        timed_out: BaseException = SoftTimeLimitExceeded()
        if time.monotonic() > self._deadline:
            return timed_out
        if grace_is_over.is_set():
            return WorkerStopping()
        with suppress(RedisError):  # an unreachable Redis does not stop the agent
            if not records().is_running(self._task_id):
                return TaskEnded()
        return None

    def not_stopped(self, cause: BaseException) -> None:
        """Finish the task. If the agent runs in a pool process, end that process: the pool replaces it.

        The broker then redelivers the message. It is acknowledged without a run, because the task is finished.
        """
        if terminate_handler_fired() or isinstance(cause, WorkerStopping):
            return
        with suppress(RedisError):
            if isinstance(cause, SoftTimeLimitExceeded):
                records().fail(self._task_id, ErrorCode.TIMEOUT, timeout_message())
        if in_pool_process():
            logger.warning("the agent did not stop, so its process is replaced", extra={"task_id": self._task_id})
            os._exit(EX_RECYCLE)


def in_pool_process() -> bool:
    """Whether this is a process of the prefork pool, rather than the main process of the worker."""
    return bool(current_process().name != "MainProcess")
