"""Shared by the contenders here, so that each file shows only its library.

The web side writes a task's record and enqueues the task. The worker side runs the agent and updates the record.
Records are in the kit's own Redis store, as with `celery_queue`.
"""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from typing import Any, NoReturn

from fastapi import FastAPI, Request, Response
from redis.exceptions import RedisError

from patterns.agents.loading import load_agent
from patterns.agents.running import (
    CLEAN_UP_SECONDS,
    Agent,
    ReportProgress,
    TaskEnded,
    checked_report,
    describe,
    run_on_event_loop,
)
from patterns.contract import ErrorCode, SubmitRequest
from patterns.contract.descriptor import Pattern
from patterns.contract.settings import Settings, SettingsError, load_settings
from patterns.redis_store.store import RedisStore
from patterns.redis_store.worker_records import WorkerRecords
from patterns.tasks.detached import abandon
from patterns.tasks.store import Unavailable, new_task_id
from patterns.web.app import new_app
from patterns.web.headers import idempotency_key
from patterns.web.openapi import submit_route
from patterns.web.routes import accepted, add_shared_routes

#: The most runs of a task whose workers die: a task that kills its worker each time must end.
MAX_RUNS = 3
#: Submit responds with 503 after this long without the broker.
SUBMIT_SECONDS = 2.0
#: `/health` counts a worker for ten seconds after its last heartbeat.
HEARTBEAT_SECONDS = 2.0
#: How often a running task without new progress is checked for cancellation.
_CHECK_SECONDS = 0.5

#: Sends a task id and a prompt to a worker. Any exception means that the broker cannot be reached.
HandOver = Callable[[str, str], Awaitable[object]]


def redis_url(settings: Settings) -> str:
    """The broker's URL. The default is never used: a contender's file is also imported where nothing is served."""
    return settings.redis_url or "redis://localhost"


def web_app(
    pattern: Pattern,
    hand_over: HandOver,
    connected: Callable[[], AbstractAsyncContextManager[Any]] = nullcontext,
) -> FastAPI:
    """The web side of a queue that passes its tasks to workers by `hand_over`.

    `connected` opens the connections for that, and closes them when the server stops.
    """
    settings = load_settings()
    worker_command = " ".join(["python", *pattern.processes[0].arguments])
    store = RedisStore(settings, redis_url(settings), worker_command)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.drain = store.drain
        async with connected(), store.listening():
            yield

    app = new_app(pattern, settings, lifespan)

    @app.post(**submit_route(pattern))
    async def submit(body: SubmitRequest, request: Request) -> Response:
        key, task_id = idempotency_key(request), new_task_id()
        try:
            async with asyncio.timeout(SUBMIT_SECONDS):
                task, to_hand_over = await store.create(task_id, body.prompt, key)
                task_id = task.task_id
                if to_hand_over:
                    await _enqueue(hand_over, task_id, body.prompt)
                    if key is not None:
                        await store.mark_sent(key)
        except (Unavailable, TimeoutError) as error:
            await store.forget(task_id)
            raise error if isinstance(error, Unavailable) else Unavailable("The broker did not reply.") from error
        return accepted(task, request, settings)

    add_shared_routes(app, pattern, store, settings)
    return app


async def _enqueue(hand_over: HandOver, task_id: str, prompt: str) -> None:
    try:
        await hand_over(task_id, prompt)
    except Exception as error:  # each library has its own exceptions
        raise Unavailable(f"The broker cannot be reached ({type(error).__name__}). Nothing was accepted.") from error


class Work:
    """The worker side of any queue: runs the agent for a task and updates its record.

    An async agent runs on the caller's event loop, a sync agent in a thread.
    """

    def __init__(self, settings: Settings) -> None:
        self._timeout = settings.task_timeout_seconds
        self._records = WorkerRecords(settings, redis_url(settings))
        self._agent: Agent = load_agent(settings)
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._running: set[str] = set()

    @property
    def running_tasks(self) -> int:
        """The number of running tasks."""
        return len(self._running)

    async def run(self, task_id: str, prompt: str) -> None:
        """Run one task to its outcome, whatever the agent does.

        Raises `RedisError` if the outcome could not be recorded: then the task has to run again.
        """
        if not await asyncio.to_thread(self._records.start, task_id, MAX_RUNS):
            return  # cancelled while it was queued, or delivered twice
        self._running.add(task_id)
        try:
            await self._watched(task_id, prompt)
        finally:
            self._running.discard(task_id)

    def heartbeat(self) -> None:
        """Report to `/health` that this worker is alive. Blocks."""
        with suppress(RedisError):  # the next heartbeat may succeed
            self._records.heartbeat(self._name)

    async def heartbeats(self) -> NoReturn:
        """Send heartbeats until cancelled."""
        while True:
            await asyncio.to_thread(self.heartbeat)
            await asyncio.sleep(HEARTBEAT_SECONDS)

    def put_back(self) -> None:
        """Record that this worker stops cleanly, so that the runs of its unfinished tasks do not count. Blocks."""
        with suppress(RedisError):
            self._records.remove_worker(self._name)
            for task_id in list(self._running):
                self._records.undo_start(task_id)

    async def _watched(self, task_id: str, prompt: str) -> None:
        loop, ended, reported = asyncio.get_running_loop(), False, asyncio.Event()
        last: tuple[int, str | None] = 0, None

        def report_progress(percent: int, message: str | None = None) -> None:
            nonlocal last
            if ended:
                raise TaskEnded
            percent, message = checked_report(percent, message)
            last = percent, message or last[1]  # reports may come faster than they are written
            loop.call_soon_threadsafe(reported.set)

        async def record_progress() -> None:
            """Write progress as it is reported. Returns when the task has been cancelled."""
            running = True
            while running:
                with suppress(TimeoutError):
                    await asyncio.wait_for(reported.wait(), _CHECK_SECONDS)
                reported.clear()
                running = await asyncio.to_thread(self._records.progress, task_id, *last)

        working = asyncio.create_task(self._job(prompt, report_progress))
        recording = asyncio.create_task(record_progress())
        try:
            await asyncio.wait({working, recording}, timeout=self._timeout, return_when=asyncio.FIRST_COMPLETED)
            ended = True
            if working.done():
                await asyncio.to_thread(self._finish, task_id, working)
                return
            working.cancel()
            if not recording.done():
                message = f"The task ran longer than {self._timeout:g} s."
                await asyncio.to_thread(self._records.fail, task_id, ErrorCode.TIMEOUT, message)
            await asyncio.wait({working}, timeout=CLEAN_UP_SECONDS)
            if recording.done():
                recording.result()  # raises if the record could not be written
        finally:
            ended = True
            recording.cancel()
            abandon(working)

    async def _job(self, prompt: str, report_progress: ReportProgress) -> str:
        try:
            return await run_on_event_loop(self._agent, prompt, report_progress)
        except (SystemExit, KeyboardInterrupt) as error:
            raise RuntimeError("the agent called sys.exit()") from error  # must not end the worker

    def _finish(self, task_id: str, working: asyncio.Task[str]) -> None:
        if working.cancelled():
            self._records.fail(task_id, ErrorCode.AGENT_ERROR, "The agent cancelled itself.")
        elif (error := working.exception()) is not None:
            self._records.fail(task_id, ErrorCode.AGENT_ERROR, describe(error))
        else:
            self._records.complete(task_id, working.result())


def work_or_exit(settings: Settings) -> Work:
    """The `Work` of a worker. If the agent cannot be loaded, exits with a one-line message."""
    try:
        return Work(settings)
    except SettingsError as error:
        print(f"kit: {error}", file=sys.stderr)  # noqa: T201 the parent has nothing to add
        sys.exit(os.EX_CONFIG)
