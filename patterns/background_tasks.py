"""Background tasks: FastAPI runs the job after it has sent the response.

The idea. `background_tasks.add_task(run_job, ...)` is all it takes: FastAPI sends the 202, then awaits `run_job` in the
asyncio task that handled the request.

Use it when the job takes seconds, losing it is acceptable, and one process is enough: sending an email, warming a
cache.

It breaks when the process ends: jobs are only in memory, so a deploy or a crash loses those that wait or run. And
FastAPI sets no limits. By default it accepts jobs until memory runs out, runs `def` functions in the same 40 threads as
sync endpoints, and waits for all jobs at shutdown. For production, this module adds a `limit` on unfinished tasks,
`Slots` for tasks that run at once, and an outcome for every task at shutdown.

An async agent runs on the event loop of the requests, so an agent that blocks it delays every request. A sync agent
gets its own daemon thread, for which no shutdown has to wait.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import BackgroundTasks, FastAPI, Request, Response

from patterns import BACKGROUND_TASKS
from patterns.agents.loading import load_agent
from patterns.agents.running import run_on_event_loop
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
    """The app. Its records are in the memory of this process, where the jobs run too."""
    settings = load_settings()
    agent = load_agent(settings)
    store = MemoryStore(limit=settings.queue_size, ttl=settings.task_ttl_seconds)
    slots = Slots(settings.workers)

    # FastAPI keeps the request in memory until this returns: 21 to 26 KiB for each waiting job, where a queue needs
    # 0.4. That is at most 27 MB with the default KIT_QUEUE_SIZE, and a third fewer submits per second.
    async def run_job(task_id: str, prompt: str) -> None:
        if await slots.acquire(task_id):
            try:
                await execute(store, run_on_event_loop, agent, task_id, prompt, settings.task_timeout_seconds)
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
