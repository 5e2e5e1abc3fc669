"""One running task as its worker watches it: cancelled in its record, timed out, or cut short by the worker's stop."""

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

from patterns.agents.running import TaskEnded
from patterns.celery_support.app import process_settings
from patterns.celery_support.stopping import WorkerStopping, grace_is_over
from patterns.celery_support.worker import records, too_long
from patterns.contract import ErrorCode

logger = logging.getLogger("longjobs")


class RecordWatch:
    """Ends the agent of one task when its record, the clock or the worker says so."""

    def __init__(self, task_id: str) -> None:
        self._task_id = task_id
        # In a pool process Celery's soft time limit comes as a signal. The other pools have no time limits.
        seconds = math.inf if in_pool_process() else process_settings().task_timeout_seconds
        self._deadline = time.monotonic() + seconds

    def report_progress(self, percent: int) -> None:
        """Write the progress. Raises `TaskEnded` or `SoftTimeLimitExceeded` if the task has ended."""
        if time.monotonic() > self._deadline:
            raise SoftTimeLimitExceeded
        if grace_is_over.is_set():
            raise WorkerStopping
        if not records().progress(self._task_id, percent):
            raise TaskEnded

    def why_end(self) -> BaseException | None:
        """What is to end the agent now, or None."""
        timed_out: BaseException = SoftTimeLimitExceeded()
        if time.monotonic() > self._deadline:
            return timed_out
        if grace_is_over.is_set():
            return WorkerStopping()
        with suppress(RedisError):  # a Redis that is away ends no agent
            if not records().is_running(self._task_id):
                return TaskEnded()
        return None

    def not_stopped(self, cause: BaseException) -> None:
        """Finish the record. If the agent has a pool process to itself, end that process: the pool starts another.

        The broker then delivers the task again, to be acknowledged without a run, because its record is finished.
        """
        if terminate_handler_fired() or isinstance(cause, WorkerStopping):
            return
        with suppress(RedisError):
            if isinstance(cause, SoftTimeLimitExceeded):
                records().fail(self._task_id, ErrorCode.TIMEOUT, too_long())
        if in_pool_process():
            logger.warning("its agent does not stop, so its process is replaced", extra={"task_id": self._task_id})
            os._exit(EX_RECYCLE)


def in_pool_process() -> bool:
    """Whether this is one of the processes that a worker has for its tasks (prefork), and not the worker itself."""
    return bool(current_process().name != "MainProcess")
