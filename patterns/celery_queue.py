"""Celery and Redis: worker processes take jobs from a broker.

The idea. Submit writes a task record, then sends a message with `apply_async`; a worker, another process on
this or any other machine, takes the message and writes the record as it goes. Web processes and workers can
be stopped, killed and multiplied apart, because no state lives in any of them.

Use it when a job must not be lost at a deploy or a crash, when work outgrows one process, or when an agent
may hang or use a whole core: a process can be killed, a thread cannot.

It breaks when the records are lost, and when nobody notices that no worker runs: `/health` says so. A broker that
loses its messages costs time only: the record has the prompt, and a worker sends the message again.

Celery alone reports an id that was never given out as PENDING (celery#3596), blocks the caller in `.delay()` while
the broker is down (celery#4296), and acknowledges a message before the work is done. The answers are the record, a
thread that publishes, and `acks_late`.

A client may send a `callback_url`. Its outcome is then delivered by a Celery task too, which the outbox in Redis has
sent until the outcome is delivered or given up, whatever dies in between.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response

from patterns import CELERY_QUEUE
from patterns.agents.watched import run_watched
from patterns.celery_support.app import celery, process_settings
from patterns.celery_support.deliveries import allowed_callback_url, deliver_what_is_due
from patterns.celery_support.lost_messages import send_lost_messages_again
from patterns.celery_support.publisher import CONFIRM_SECONDS, Message, Publisher
from patterns.celery_support.record_watch import RecordWatch
from patterns.celery_support.worker import RecordedTask, agent, failures_recorded, records
from patterns.contract import CallbackSubmitRequest
from patterns.observability.tracing import tracing
from patterns.redis_store.store import RedisStore
from patterns.tasks.store import Unavailable, new_task_id
from patterns.web.app import new_app
from patterns.web.delivery_routes import add_delivery_routes
from patterns.web.headers import idempotency_key
from patterns.web.mounting import root_path
from patterns.web.openapi import submit_route
from patterns.web.routes import accepted, add_shared_routes

#: A task whose worker dies is run again, but not forever: a task that kills its worker each time must end.
MOST_RUNS = 3
#: Submit answers 503 after this long without the broker, well within what an HTTP client waits.
SUBMIT_SECONDS = 2.0


@celery.task(
    name="kit.run_agent",
    base=RecordedTask,
    bind=True,
    acks_late=True,  # acknowledged when it is done, so that the task of a killed worker is run again
    reject_on_worker_lost=True,  # the same when only the process that runs it is killed
)
def run_agent(self: Any, prompt: str, calls_back: bool = False) -> None:
    """Run the agent in a worker, and write the record as it goes. Time limits are in the Celery configuration."""
    task_id = self.request.id
    try:
        if records().start(task_id, MOST_RUNS):  # not if it was cancelled while it waited
            with failures_recorded(task_id):
                # An async agent runs on an event loop that lives as long as this process, a sync one in this thread.
                result = run_watched(agent(), prompt, RecordWatch(task_id))
                records().complete(task_id, result)
    finally:
        if calls_back:
            deliver_what_is_due()


def send(message: Message, producer: Any) -> None:
    """Put a task in the queue. Blocks, so the publisher's thread calls it."""
    run_agent.apply_async(
        (message.prompt, message.calls_back),
        task_id=message.task_id,
        headers=message.carrier,
        producer=producer,
        retry=False,  # a client that waits is better off with a 503
        confirm_timeout=CONFIRM_SECONDS,
        argsrepr="(prompt)",  # Celery would write the prompt into the message a second time, for its logs
    )


send_lost_messages_again(send)  # a worker does, from the records


def create_app() -> FastAPI:
    """The web side. Any number of these give the same answers."""
    settings = process_settings()
    store, publisher = RedisStore(settings, str(settings.redis_url)), Publisher(send)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.drain = store.drain
        async with store.listening():
            yield
        publisher.close()

    app = new_app(CELERY_QUEUE, settings, lifespan)

    @app.post(**submit_route(CELERY_QUEUE))
    async def submit(body: CallbackSubmitRequest, request: Request) -> Response:
        key, task_id, url = idempotency_key(request), new_task_id(), allowed_callback_url(body.callback_url, settings)
        try:
            async with asyncio.timeout(SUBMIT_SECONDS):
                task, to_hand_over = await store.create(task_id, body.prompt, key, url, root_path(request))
                task_id = task.task_id
                if to_hand_over:
                    await publisher.publish(Message(task_id, body.prompt, bool(url), tracing().carrier()))
                    if key is not None:
                        await store.handed_over(key)
        except (Unavailable, TimeoutError) as error:
            await store.forget(task_id)
            raise error if isinstance(error, Unavailable) else Unavailable("The broker did not answer.") from error
        return accepted(task, request, settings)

    add_shared_routes(app, CELERY_QUEUE, store, settings)
    add_delivery_routes(app, store, settings)
    return app


if __name__ == "__main__":
    from patterns.cli.commands import serve_module

    serve_module("celery_queue")
