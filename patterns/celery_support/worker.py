"""The worker's side: it writes failures to the record of the task, and sends heartbeats for `/health`.

Web processes import this module too, but Celery sends the signals in workers only.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

from billiard.common import terminate_handler_fired
from celery import Task, signals
from celery.concurrency.prefork import TaskPool
from celery.exceptions import Reject, SoftTimeLimitExceeded
from celery.worker.request import Request
from redis.exceptions import RedisError

from patterns.agents.loading import load_agent
from patterns.agents.running import Agent, TaskEnded, describe
from patterns.celery_support.app import process_settings
from patterns.celery_support.stopping import WorkerStopping, stop_within_the_grace_period
from patterns.contract import ErrorCode
from patterns.contract.settings import SettingsError
from patterns.observability.lifecycle import running_task
from patterns.observability.logs import set_up_logging
from patterns.observability.tracing import NO_CARRIER, tracing
from patterns.redis_store.worker_records import WorkerRecords

_CHECK_SECONDS = 0.25


@cache
def records() -> WorkerRecords:
    """The task records of this worker."""
    return WorkerRecords(process_settings(), str(process_settings().redis_url))


@cache
def agent() -> Agent:
    """The agent of this worker. Raises `SettingsError`."""
    return load_agent(process_settings())


class RecordedRequest(Request):
    """A message in the worker's main process, which outlives the pool process that runs the task."""

    def on_timeout(self, soft: bool, timeout: float) -> None:
        """Fail the task at its hard limit, because Celery kills the pool process that runs it."""
        if not soft:
            records().fail(self.id, ErrorCode.TIMEOUT, timeout_message())
        super().on_timeout(soft, timeout)


class RecordedTask(Task):
    """The base class of tasks with a record."""

    Request = RecordedRequest

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the task, with its id on all log lines and spans, including those of the agent.

        If the record cannot be written, the message is returned to the broker.
        """
        with running_task(self.request.id, self.request.headers or NO_CARRIER):
            try:
                return self.run(*args, **kwargs)
            except RedisError as error:
                raise Reject(f"the outcome could not be written: {error}", requeue=True) from error


@contextmanager
def failures_recorded(task_id: str) -> Iterator[None]:
    """If the block raises, fail the task, whatever the agent raised."""
    try:
        yield
    except TaskEnded:
        pass  # the task was cancelled, so it is already finished
    except SoftTimeLimitExceeded:
        records().fail(task_id, ErrorCode.TIMEOUT, timeout_message())
    except WorkerStopping:
        records().undo_start(task_id)
        raise Reject("the worker is stopping", requeue=True) from None
    except RedisError:
        raise
    except BaseException as error:  # an agent may raise SystemExit, or asyncio's CancelledError
        if terminate_handler_fired():
            records().undo_start(task_id)
            raise  # the worker is stopping: its main process returns the message to the broker
        records().fail(task_id, ErrorCode.AGENT_ERROR, describe(error))


def timeout_message() -> str:
    """The error message of a task that has timed out."""
    return f"The task ran longer than {process_settings().task_timeout_seconds:g} s."


@signals.setup_logging.connect
def set_up_logs(loglevel: int, **_: object) -> None:
    """Use the log format of the web processes instead of Celery's."""
    set_up_logging(process_settings(), loglevel)


@signals.celeryd_init.connect
def check_agent(**_: object) -> None:
    """Exit before the worker takes a task, if its agent cannot be loaded."""
    try:
        agent()
    except SettingsError as error:
        print(f"kit: {error}", file=sys.stderr)  # noqa: T201 the whole message: the parent process adds nothing
        sys.exit(os.EX_CONFIG)


@signals.worker_ready.connect
@signals.heartbeat_sent.connect
def report_heartbeat(sender: Any, **_: object) -> None:
    """Store a heartbeat, so that `/health` knows that this worker is running."""
    with suppress(RedisError):  # the next heartbeat may succeed
        records().heartbeat(str(getattr(sender, "hostname", "") or sender.eventer.hostname))


@signals.worker_ready.connect
def check_for_ended_processes(sender: Any, **_: object) -> None:
    """Replace a pool process soon after it ends.

    Celery checks when the pipe to a process closes, and every five seconds. The pipe closes a moment before the kernel
    reports the end of the process, so Celery often notices it only five seconds later.
    """
    if isinstance(sender.pool, TaskPool):
        sender.hub.call_repeatedly(_CHECK_SECONDS, sender.pool.maintain_pool)


@signals.worker_shutdown.connect
def report_stop(sender: Any, **_: object) -> None:
    """Remove the heartbeat, so that `/health` knows that this worker has stopped."""
    with suppress(RedisError):  # the heartbeat expires anyway
        records().remove_worker(str(sender.hostname))


@signals.worker_process_shutdown.connect
@signals.worker_shutdown.connect
def send_last_traces(**_: object) -> None:
    """Export the remaining spans before a process of the worker ends."""
    tracing().flush()


stop_within_the_grace_period()
