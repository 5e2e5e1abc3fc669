"""In-memory queue: a few asyncio workers take jobs from a bounded queue in the web process.

The idea. Submit puts the job in an `asyncio.Queue` with `put_nowait`; N workers, started with the app, take
jobs out for as long as it lives. How many run at once, and how many may wait, are two plain numbers.

Use it when one process is enough, jobs are mostly waiting (an LLM's API), and a job lost at a crash can be
asked for again.

It breaks when the process ends: the queue is memory, so what waited or ran is gone. It also breaks when an
`async` agent blocks: it runs on the loop that answers requests. A sync agent gets a thread of its own.
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
    """The queue and its workers. `polling` and `webhook` stand on it too: it is their baseline."""

    def __init__(self, settings: Settings) -> None:
        self.store = MemoryStore(limit=settings.queue_size, ttl=settings.task_ttl_seconds)
        self._settings = settings
        self._agent = load_agent(settings)
        self._waiting = WaitingTasks(maxsize=settings.queue_size)

    def submit(self, prompt: str, key: str | None, callback_url: str | None = None, root_path: str = "") -> Task:
        """Accept a task: write its record, and put it into the queue. Raises `QueueFull`, `KeyReused`."""
        task, new = self.store.create(prompt, key, callback_url, root_path, when_finished=self._waiting.discard)
        if new:
            self._waiting.put_nowait((task.task_id, prompt))
        return task

    async def work(self) -> None:
        """One worker: take a job, run it to its end, take the next. Nothing that a job does ends the worker."""
        while True:
            task_id, prompt = await self._waiting.get()
            try:
                await execute(
                    self.store, run_on_event_loop, self._agent, task_id, prompt, self._settings.task_timeout_seconds
                )
            except Exception:
                logger.exception("the task broke its worker", extra={"task_id": task_id})
                self.store.fail(task_id, ErrorCode.AGENT_ERROR, "The worker broke. The server's log has the details.")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Workers for as long as the block lasts; at its end accepted tasks get the grace period."""
        workers = [asyncio.create_task(self.work(), name=f"worker-{n}") for n in range(self._settings.workers)]
        try:
            yield
            await self.drain()
        finally:
            for worker in workers:
                worker.cancel()

    async def drain(self) -> None:
        """Take no more, and give what was accepted the grace period to finish."""
        await self.store.drain(self._settings.grace_seconds, self._settings.collect_seconds)


class WaitingTasks(asyncio.Queue[tuple[str, str]]):
    """Task ids and prompts, first in, first out. A task that is cancelled gives up its place."""

    # asyncio.Queue leaves these to subclasses; its own LifoQueue and PriorityQueue fill them in the same way.
    def _init(self, maxsize: int) -> None:
        self._queue: OrderedDict[str, str] = OrderedDict()

    def _put(self, item: tuple[str, str]) -> None:
        task_id, prompt = item
        self._queue[task_id] = prompt

    def _get(self) -> tuple[str, str]:
        return self._queue.popitem(last=False)

    def discard(self, task_id: str) -> None:
        """Take a task out, if it still waits."""
        self._queue.pop(task_id, None)


def create_app() -> FastAPI:
    """The app. Its queue and its records live and die with this process."""
    return app_for(IN_MEMORY_QUEUE)


def app_for(pattern: Pattern) -> FastAPI:
    """The same app under another pattern's name: what `polling` varies is the client."""
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
