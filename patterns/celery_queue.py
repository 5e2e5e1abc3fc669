"""Celery and Redis: worker processes take jobs from a broker.

The idea. Submit writes a task record, then sends a message with `apply_async`; a worker, another process on
this or any other machine, takes the message and writes the record as it goes. Web processes and workers can
be stopped, killed and multiplied apart, because no state lives in any of them.

Use it when a job must not be lost at a deploy or a crash, when work outgrows one process, or when an agent
may hang or eat a whole core: a process can be killed, a thread cannot.

It breaks when the records are lost, and when nobody notices that no worker runs: `/health` says so. A broker that
loses its messages costs time only: the record knows the prompt, and a worker sends the message again.

Celery alone reads an id that was never given out as PENDING (celery#3596), blocks the caller in `.delay()`
while the broker is down (celery#4296), and acknowledges a message before the work is done. The record, the
thread and the settings in `celery_app` are the answers.

Whoever submits may name a `callback_url` too. The outcome is then told by a Celery task of its own (`celery_telling`),
which the outbox in Redis (`redis_outbox`) has sent until it is done: whatever dies in between, the outcome is told.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import cache
from typing import Any

from billiard.common import terminate_handler_fired
from celery import Task as CeleryTask
from celery import signals
from celery.exceptions import Reject, SoftTimeLimitExceeded
from celery.worker.request import Request as CeleryRequest
from fastapi import FastAPI, Request, Response
from kombu.exceptions import KombuError, OperationalError
from redis.exceptions import RedisError

from patterns import CELERY_QUEUE
from patterns.agents.loading import load_agent
from patterns.agents.running import Agent, TaskEnded, run_in_this_thread
from patterns.celery_support.app import celery_app, redelivered_after
from patterns.celery_support.brokers import CONFIRM_SECONDS, publishing
from patterns.celery_support.deliveries import add_telling
from patterns.celery_support.lost_messages import Losses, Message
from patterns.celery_support.stopping import stop_within
from patterns.contract import CallbackSubmitRequest, ErrorCode
from patterns.contract.settings import Settings, SettingsError, load_settings
from patterns.observability.lifecycle import working_on
from patterns.observability.logs import set_up_logging
from patterns.observability.tracing import NO_CARRIER, tracing
from patterns.redis_store.batching import Batcher
from patterns.redis_store.store import RedisStore
from patterns.redis_store.worker_records import WorkerRecords
from patterns.tasks.execution import describe
from patterns.tasks.store import Unavailable, new_task_id
from patterns.web.app import new_app
from patterns.web.delivery_routes import check_callback, no_callback
from patterns.web.headers import idempotency_key
from patterns.web.openapi import submit_route
from patterns.web.routes import accepted, add_shared_routes

#: A task whose worker dies is run again, but not for ever: one that kills its worker each time must end.
MOST_RUNS = 3
#: Submit answers 503 after this long without the broker, well within what an HTTP client waits.
SUBMIT_SECONDS = 2.0


@cache
def _settings() -> Settings:
    return load_settings()


@cache
def _records() -> WorkerRecords:
    return WorkerRecords(_settings(), str(_settings().redis_url))


@cache
def _agent() -> Agent:
    return load_agent(_settings())


class RecordedRequest(CeleryRequest):
    """Celery's view of a message, in the worker's main process. It outlives the process that runs the task."""

    def on_timeout(self, soft: bool, timeout: float) -> None:
        """At the hard limit the task's process is killed, so the record is written here."""
        if not soft:
            _records().fail(self.id, ErrorCode.TIMEOUT, _too_long())
        super().on_timeout(soft, timeout)


class RecordedTask(CeleryTask):
    """A task whose outcome is in its record."""

    Request = RecordedRequest

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run it; what is logged and traced meanwhile, also by the agent, is about this task."""
        with working_on(self.request.id, self.request.headers or NO_CARRIER):
            return self.run(*args, **kwargs)


if __name__ == "__main__":  # here, because what follows needs a broker, and serving brings it
    from patterns.cli.commands import serve_module

    serve_module("celery_queue")

celery = celery_app(_settings())
tell_what_is_due = add_telling(celery, _settings(), _records)
stop_within(_settings().grace_seconds)


@celery.task(name="kit.run_agent", base=RecordedTask, bind=True)
def run_agent(self: Any, prompt: str, calls_back: bool = False) -> None:
    """Run the agent in a worker, and write the record as it goes."""
    task_id, records = self.request.id, _records()
    deadline = time.monotonic() + _settings().task_timeout_seconds

    def report_progress(percent: int) -> None:
        # Pools without time limits (threads) and without signals look here, so cancel and timeout work on all.
        if time.monotonic() > deadline:
            raise SoftTimeLimitExceeded
        if not records.progress(task_id, percent):
            raise TaskEnded

    try:
        if not records.start(task_id, MOST_RUNS):
            return
        try:
            result = run_in_this_thread(_agent(), prompt, report_progress)
        except TaskEnded:
            return
        except SoftTimeLimitExceeded:
            records.fail(task_id, ErrorCode.TIMEOUT, _too_long())
        except RedisError:
            raise
        except BaseException as error:  # an agent may raise SystemExit, or asyncio's CancelledError
            if terminate_handler_fired():
                records.put_back(task_id)
                raise  # the worker is stopping: its main process gives the message back to the broker
            records.fail(task_id, ErrorCode.AGENT_ERROR, describe(error))
        else:
            records.complete(task_id, result)
    except RedisError as error:
        raise Reject(f"the outcome could not be written: {error}", requeue=True) from error
    finally:
        if calls_back:
            tell_what_is_due()


def _too_long() -> str:
    return f"The task ran longer than {_settings().task_timeout_seconds:g} s."


@signals.setup_logging.connect
def set_up_logs(loglevel: int, **_: object) -> None:
    """Log as a web process does, instead of Celery's own way."""
    set_up_logging(_settings(), loglevel)


@signals.celeryd_init.connect
def check_agent(**_: object) -> None:
    """Stop a worker whose agent cannot be loaded, before it takes a task."""
    try:
        _agent()
    except SettingsError as error:
        print(f"kit: {error}", file=sys.stderr)  # noqa: T201 the parent has nothing to add
        sys.exit(os.EX_CONFIG)


@signals.worker_process_shutdown.connect
@signals.worker_shutdown.connect
def send_last_traces(**_: object) -> None:
    """Before a process of the worker ends."""
    tracing().flush()


@signals.worker_ready.connect
@signals.heartbeat_sent.connect
def tell_that_it_lives(sender: Any, **_: object) -> None:
    """Let `/health` know that a worker is there, and look what was left untold by one that is not."""
    with suppress(RedisError):  # the next heartbeat may get through
        _records().heartbeat(str(getattr(sender, "hostname", "") or sender.eventer.hostname))
    tell_what_is_due()
    losses.send_again()


@signals.worker_shutdown.connect
def tell_that_it_stops(sender: Any, **_: object) -> None:
    """Let `/health` know that a worker has gone."""
    with suppress(RedisError):  # it is forgotten after WORKER_SILENCE_SECONDS
        _records().farewell(str(sender.hostname))


class Publisher:
    """Sends messages to the broker without blocking the event loop: `apply_async` blocks, so a thread calls it."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="publisher")
        self._send = Batcher(self._send_batch)

    async def send(self, task_id: str, prompt: str, calls_back: bool) -> None:
        """Return when the broker has the message. Raises `Unavailable`."""
        try:
            await self._send((task_id, prompt, calls_back, tracing().carrier()))
        except (KombuError, OperationalError, RedisError, OSError) as error:
            raise Unavailable(
                f"The broker cannot be reached ({type(error).__name__}). Nothing was accepted."
            ) from error

    def close(self) -> None:
        """Let the thread go, even if the broker hangs."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _send_batch(self, tasks: Sequence[Message]) -> Sequence[None]:
        await asyncio.get_running_loop().run_in_executor(self._thread, publish, tasks)
        return [None] * len(tasks)


def publish(tasks: Sequence[Message]) -> None:
    """Send the messages, and return when the broker has them. Blocks."""
    # Celery would write the prompt into the message a second time, for its logs: not where it belongs.
    options = {"retry": False, "confirm_timeout": CONFIRM_SECONDS, "argsrepr": "(prompt)"}
    with celery.producer_pool.acquire(block=True) as producer, publishing(producer):
        for task_id, prompt, calls_back, carrier in tasks:
            run_agent.apply_async((prompt, calls_back), task_id=task_id, headers=carrier, producer=producer, **options)


losses = Losses(celery, redelivered_after(_settings()), _records, publish)


def create_app() -> FastAPI:
    """The web side. Any number of these give the same answers."""
    settings = _settings()
    store = RedisStore(settings, str(settings.redis_url))
    publisher = Publisher()
    # Here, not in the worker: a worker's connection is meant to wait for messages.
    celery.conf.broker_transport_options = {
        **celery.conf.broker_transport_options,
        "socket_timeout": 1.0,
        "socket_connect_timeout": 1.0,
        "read_timeout": 1.0,  # these two are RabbitMQ's
        "write_timeout": 1.0,
        # And one try: whoever waits for an answer would rather hear 503 now. kombu alone goes on trying.
        "max_retries": 1,
        "interval_start": 0,
    }

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.drain = store.drain
        async with store.listening():
            yield
        publisher.close()

    app = new_app(CELERY_QUEUE, settings, lifespan)

    @app.post(**submit_route(CELERY_QUEUE))
    async def submit(body: CallbackSubmitRequest, request: Request) -> Response:
        key, task_id, url = idempotency_key(request), new_task_id(), body.callback_url or ""
        if url and settings.webhook_secret is None:
            raise no_callback("set KIT_WEBHOOK_SECRET, the same for web processes and workers: callbacks are signed")
        if url:
            check_callback(url, settings)
        try:
            async with asyncio.timeout(SUBMIT_SECONDS):
                task, to_hand_over = await store.create(task_id, body.prompt, key, url)
                task_id = task.task_id
                if to_hand_over:
                    await publisher.send(task.task_id, body.prompt, bool(url))
                    if key is not None:
                        await store.handed_over(key)
        except (Unavailable, TimeoutError) as error:
            await store.forget(task_id)
            raise error if isinstance(error, Unavailable) else Unavailable("The broker did not answer.") from error
        return accepted(task, settings)

    add_shared_routes(app, CELERY_QUEUE, store, settings)
    return app
