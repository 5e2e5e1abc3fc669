"""Celery and Redis: worker processes take jobs from a broker.

The idea. Submit writes a task record, then sends a message with `apply_async`. A worker, which is another process on
this or any other host, takes the message, runs the agent and updates the record. Web processes and workers can be
stopped, killed and scaled independently, because none of them has state.

Use it when a job must not be lost at a deploy or a crash, when the work needs more than one process, or when an agent
may hang or use a whole core: a process can be killed, a thread cannot.

It breaks when the records in Redis are lost, or when no worker is running, which `/health` reports. A broker that loses
its messages only delays tasks: the record has the prompt, and a worker sends the message again.

By default Celery reports an unknown id as PENDING (celery#3596), blocks the caller of `.delay()` while the broker is
down (celery#4296), and acknowledges a message before the task has run. Here the record, a publisher thread and
`acks_late` prevent that.

A client may send a `callback_url`. Then the outcome is delivered by Celery tasks too. The outbox in Redis creates them
until the outcome is delivered or given up, even if workers die in between.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response

from patterns import CELERY_QUEUE
from patterns.agents.watched import run_watched
from patterns.celery_support.app import celery, process_settings
from patterns.celery_support.deliveries import allowed_callback_url, send_due_deliveries
from patterns.celery_support.lost_messages import resend_lost_messages
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

#: A task whose worker dies runs again, but not forever: a task that kills its worker each time must fail.
MAX_RUNS = 3
#: How long submit waits for Redis and the broker before it returns 503: less than the timeout of HTTP clients.
SUBMIT_SECONDS = 2.0


@celery.task(
    name="kit.run_agent",
    base=RecordedTask,
    bind=True,
    acks_late=True,  # acknowledged after the run, so that the task of a killed worker runs again
    reject_on_worker_lost=True,  # the same if only the worker's pool process is killed
)
def run_agent(self: Any, prompt: str, has_callback: bool = False) -> None:
    """Run the agent in a worker, and update the record. The time limits are in Celery's configuration."""
    task_id = self.request.id
    try:
        if records().start(task_id, MAX_RUNS):  # False if it was cancelled
            with failures_recorded(task_id):
                # An async agent runs on an event loop that lives as long as this process, a sync one in this thread.
                result = run_watched(agent(), prompt, RecordWatch(task_id))
                records().complete(task_id, result)
    finally:
        if has_callback:
            send_due_deliveries()


def send(message: Message, producer: Any) -> None:
    """Send the message of a task. It blocks, so the publisher's thread calls it."""
    run_agent.apply_async(
        (message.prompt, message.has_callback),
        task_id=message.task_id,
        headers=message.carrier,
        producer=producer,
        retry=False,  # an early 503 is better for the client than a long wait
        confirm_timeout=CONFIRM_SECONDS,
        argsrepr="(prompt)",  # otherwise the message contains the prompt a second time, for Celery's logs
    )


resend_lost_messages(send)


def create_app() -> FastAPI:
    """The web side. Any number of web processes can share the tasks."""
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
                task, must_send = await store.create(task_id, body.prompt, key, url, root_path(request))
                task_id = task.task_id
                if must_send:
                    await publisher.publish(Message(task_id, body.prompt, bool(url), tracing().carrier()))
                    if key is not None:
                        await store.mark_sent(key)
        except (Unavailable, TimeoutError) as error:
            await store.forget(task_id)
            raise error if isinstance(error, Unavailable) else Unavailable("The broker did not reply.") from error
        return accepted(task, request, settings)

    add_shared_routes(app, CELERY_QUEUE, store, settings)
    add_delivery_routes(app, store, settings)
    return app


if __name__ == "__main__":
    from patterns.cli.commands import serve_module

    serve_module("celery_queue")
