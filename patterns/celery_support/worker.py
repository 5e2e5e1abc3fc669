"""The worker's side: how a task's failure gets into its record, and what a worker reports about itself.

Every process imports this; Celery sends the signals in a worker only.
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
from patterns.observability.lifecycle import working_on
from patterns.observability.logs import set_up_logging
from patterns.observability.tracing import NO_CARRIER, tracing
from patterns.redis_store.worker_records import WorkerRecords

_LOOK_FOR_ENDED_SECONDS = 0.25


@cache
def records() -> WorkerRecords:
    """The records, as a worker writes them."""
    return WorkerRecords(process_settings(), str(process_settings().redis_url))


@cache
def agent() -> Agent:
    """The agent. Raises `SettingsError`."""
    return load_agent(process_settings())


class RecordedRequest(Request):
    """Celery's view of a message, in the worker's main process. It outlives the process that runs the task."""

    def on_timeout(self, soft: bool, timeout: float) -> None:
        """At the hard limit the task's process is killed, so the record is written here."""
        if not soft:
            records().fail(self.id, ErrorCode.TIMEOUT, too_long())
        super().on_timeout(soft, timeout)


class RecordedTask(Task):
    """A task whose outcome is in its record."""

    Request = RecordedRequest

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run it. What is logged and traced meanwhile, by the agent too, carries the task's id.

        If the record cannot be written, the message goes back to the broker.
        """
        with working_on(self.request.id, self.request.headers or NO_CARRIER):
            try:
                return self.run(*args, **kwargs)
            except RedisError as error:
                raise Reject(f"the outcome could not be written: {error}", requeue=True) from error


@contextmanager
def failures_recorded(task_id: str) -> Iterator[None]:
    """Write to the record why the block failed, whatever the agent in it raised."""
    try:
        yield
    except TaskEnded:
        pass  # it was cancelled, so its record is finished
    except SoftTimeLimitExceeded:
        records().fail(task_id, ErrorCode.TIMEOUT, too_long())
    except WorkerStopping:
        records().put_back(task_id)
        raise Reject("the worker is stopping", requeue=True) from None
    except RedisError:
        raise
    except BaseException as error:  # an agent may raise SystemExit, or asyncio's CancelledError
        if terminate_handler_fired():
            records().put_back(task_id)
            raise  # the worker is stopping: its main process gives the message back to the broker
        records().fail(task_id, ErrorCode.AGENT_ERROR, describe(error))


def too_long() -> str:
    """What the record says of a task that has timed out."""
    return f"The task ran longer than {process_settings().task_timeout_seconds:g} s."


@signals.setup_logging.connect
def set_up_logs(loglevel: int, **_: object) -> None:
    """Log as a web process does, instead of Celery's own way."""
    set_up_logging(process_settings(), loglevel)


@signals.celeryd_init.connect
def check_agent(**_: object) -> None:
    """Stop a worker whose agent cannot be loaded, before it takes a task."""
    try:
        agent()
    except SettingsError as error:
        print(f"kit: {error}", file=sys.stderr)  # noqa: T201 the parent has nothing to add
        sys.exit(os.EX_CONFIG)


@signals.worker_ready.connect
@signals.heartbeat_sent.connect
def report_heartbeat(sender: Any, **_: object) -> None:
    """Let `/health` know that a worker is running."""
    with suppress(RedisError):  # the next heartbeat may get through
        records().heartbeat(str(getattr(sender, "hostname", "") or sender.eventer.hostname))


@signals.worker_ready.connect
def look_for_ended_processes(sender: Any, **_: object) -> None:
    """Replace a process of the pool soon after it ends.

    Celery looks when the pipe to a process closes, and every five seconds. The pipe closes a moment before the kernel
    reports the end of the process, so that Celery often sees it only five seconds later.
    """
    if isinstance(sender.pool, TaskPool):
        sender.hub.call_repeatedly(_LOOK_FOR_ENDED_SECONDS, sender.pool.maintain_pool)


@signals.worker_shutdown.connect
def report_stop(sender: Any, **_: object) -> None:
    """Let `/health` know that a worker has stopped."""
    with suppress(RedisError):  # it is forgotten after WORKER_SILENCE_SECONDS
        records().farewell(str(sender.hostname))


@signals.worker_process_shutdown.connect
@signals.worker_shutdown.connect
def send_last_traces(**_: object) -> None:
    """Send what is still in memory, before a process of the worker ends."""
    tracing().flush()


stop_within_the_grace_period()
