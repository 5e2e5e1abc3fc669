"""In-memory queue: a few asyncio workers take jobs from a bounded queue in the web process.

The idea. Submit puts the job in an `asyncio.Queue` with `put_nowait`. A fixed number of workers, started with the app,
take jobs from the queue. Two numbers set the limits: how many jobs run at once, and how many may wait.

Use it when one process is enough, jobs mostly wait (for the API of an LLM), and clients can submit a lost job again.

It breaks when the process ends: the queue is in memory, so jobs that wait or run are lost. It also breaks when an
`async` agent blocks, because it runs on the event loop that handles the requests. A sync agent gets its own thread.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response

from patterns import IN_MEMORY_QUEUE
from patterns.agents.loading import load_agent
from patterns.agents.running import run_on_event_loop
from patterns.contract import ErrorCode, SubmitRequest, Task
from patterns.contract.descriptor import Pattern
from patterns.contract.settings import Settings, load_settings
from patterns.tasks.execution import execute
from patterns.tasks.memory_store import MemoryStore
from patterns.web.app import new_app
from patterns.web.headers import idempotency_key
from patterns.web.openapi import submit_route
from patterns.web.routes import accepted, add_shared_routes

logger = logging.getLogger(__name__)


class InMemoryQueue:
    """The queue and its workers. It is also the baseline of `polling` and `webhook`."""

    def __init__(self, settings: Settings) -> None:
        self.store = MemoryStore(limit=settings.queue_size, ttl=settings.task_ttl_seconds)
        self._settings = settings
        self._agent = load_agent(settings)
        self._waiting = WaitingTasks(maxsize=settings.queue_size)

    def submit(self, prompt: str, key: str | None, callback_url: str | None = None, root_path: str = "") -> Task:
        """Accept a task: write its record, and put it in the queue. Raises `QueueFull`, `KeyReused`, `Unavailable`."""
        task, new = self.store.create(prompt, key, callback_url, root_path, when_finished=self._waiting.discard)
        if new:
            self._waiting.put_nowait((task.task_id, prompt))
        return task

    async def work(self) -> None:
        """One worker: it runs one job after the other, and survives every exception."""
        while True:
            task_id, prompt = await self._waiting.get()
            try:
                await execute(
                    self.store, run_on_event_loop, self._agent, task_id, prompt, self._settings.task_timeout_seconds
                )
            except Exception:
                logger.exception("worker raised an exception", extra={"task_id": task_id})
                self.store.fail(task_id, ErrorCode.AGENT_ERROR, "An error in the worker. Its log has the details.")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the workers for as long as the block lasts. At its end, unfinished tasks get the grace period."""
        workers = [asyncio.create_task(self.work(), name=f"worker-{n}") for n in range(self._settings.workers)]
        try:
            yield
            await self.drain()
        finally:
            for worker in workers:
                worker.cancel()

    async def drain(self) -> None:
        """Accept no more tasks, and give the unfinished ones the grace period."""
        await self.store.drain(self._settings.grace_seconds, self._settings.collect_seconds)


class WaitingTasks(asyncio.Queue[tuple[str, str]]):
    """A first-in, first-out queue of task ids and prompts, from which a cancelled task can be removed."""

    # asyncio.Queue has these methods for subclasses: its LifoQueue and PriorityQueue override them too.
    def _init(self, maxsize: int) -> None:
        self._queue: OrderedDict[str, str] = OrderedDict()

    def _put(self, item: tuple[str, str]) -> None:
        task_id, prompt = item
        self._queue[task_id] = prompt

    def _get(self) -> tuple[str, str]:
        return self._queue.popitem(last=False)

    def discard(self, task_id: str) -> None:
        """Remove a task, if it is still waiting."""
        self._queue.pop(task_id, None)


def create_app() -> FastAPI:
    """The app. Its queue and its records are in the memory of this process."""
    return app_for(IN_MEMORY_QUEUE)


def app_for(pattern: Pattern) -> FastAPI:
    """The app with another pattern's name: `polling` has the same server, and a different client."""
    settings = load_settings()
    queue = InMemoryQueue(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.drain = queue.drain
        async with queue.running():
            yield

    app = new_app(pattern, settings, lifespan)

    @app.post(**submit_route(pattern))
    async def submit(body: SubmitRequest, request: Request) -> Response:
        return accepted(queue.submit(body.prompt, idempotency_key(request)), request, settings)

    add_shared_routes(app, pattern, queue.store, settings)
    return app


if __name__ == "__main__":
    from patterns.cli.commands import serve_module

    serve_module("in_memory_queue")
