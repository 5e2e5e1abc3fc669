"""Background tasks: FastAPI runs the job after the response has left.

The idea. `background_tasks.add_task(run_job, ...)` is the whole hand-over: FastAPI sends the 202, and then awaits
`run_job` in the same task of the event loop that answered the request.

Use it when the job takes seconds, losing it is bearable, and one process is enough: sending a mail, warming a cache.

It breaks when the process ends: nothing is written down, so a deploy or a crash loses what was waiting or
running. And FastAPI sets no bounds. Left alone it accepts work until memory ends, runs plain functions in the
40 threads that its sync endpoints need too, and waits for all of it when it stops. What it takes to ship is
below: a `limit` on what is accepted, `Slots` for what runs at once, and an end for each task that a stop cannot miss.

An async agent runs on the loop that answers requests, so one that blocks holds up every request. A sync agent gets a
daemon thread of its own.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import BackgroundTasks, FastAPI, Request, Response

from patterns import BACKGROUND_TASKS
from patterns.agents.loading import load_agent
from patterns.agents.running import run_on_the_loop
from patterns.contract import SubmitRequest
from patterns.contract.settings import load_settings
from patterns.tasks.execution import execute
from patterns.tasks.memory_store import MemoryStore
from patterns.tasks.slots import Slots
from patterns.web.app import new_app
from patterns.web.headers import idempotency_key
from patterns.web.openapi import submit_route
from patterns.web.routes import accepted, add_shared_routes


def create_app() -> FastAPI:
    """The app. Its records, and the work itself, live and die with this process."""
    settings = load_settings()
    agent = load_agent(settings)
    store = MemoryStore(limit=settings.queue_size, ttl=settings.task_ttl_seconds)
    slots = Slots(settings.workers)

    # FastAPI keeps the whole request in memory until this returns: 21 to 26 KiB for each job that waits (a queue
    # needs 0.4), so at most 27 MB with the default KIT_QUEUE_SIZE, and a third fewer submits per second.
    async def run_job(task_id: str, prompt: str) -> None:
        if await slots.acquire(task_id):
            try:
                await execute(store, run_on_the_loop, agent, task_id, prompt, settings.task_timeout_seconds)
            finally:
                slots.release()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.drain = lambda: store.drain(settings.grace_seconds, settings.collect_seconds)
        yield
        await app.state.drain()

    app = new_app(BACKGROUND_TASKS, settings, lifespan)

    @app.post(**submit_route(BACKGROUND_TASKS))
    async def submit(body: SubmitRequest, request: Request, background_tasks: BackgroundTasks) -> Response:
        task, new = store.create(body.prompt, idempotency_key(request), when_finished=slots.discard)
        if new:
            background_tasks.add_task(run_job, task.task_id, body.prompt)
        return accepted(task, request, settings)

    add_shared_routes(app, BACKGROUND_TASKS, store, settings)
    return app


if __name__ == "__main__":
    from patterns.cli.commands import serve_module

    serve_module("background_tasks")
