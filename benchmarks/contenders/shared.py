"""What the contenders here share, so that each file shows its library and nothing else.

The web side writes a task's record and hands the task over. The worker side runs the agent and writes the
record as it goes. Records are in the kit's own store in Redis, as those of `celery_queue` are.
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
from patterns.agents.running import Agent, ReportProgress, TaskEnded, checked_report, describe, run_on_event_loop
from patterns.contract import ErrorCode, SubmitRequest
from patterns.contract.descriptor import Pattern
from patterns.contract.settings import Settings, SettingsError, load_settings
from patterns.redis_store.store import RedisStore
from patterns.redis_store.worker_records import WorkerRecords
from patterns.tasks.detached import abandon
from patterns.tasks.execution import RunAgent
from patterns.tasks.store import Unavailable, new_task_id
from patterns.web.app import new_app
from patterns.web.headers import idempotency_key
from patterns.web.openapi import submit_route
from patterns.web.routes import accepted, add_shared_routes

#: A task whose worker dies is run again, but not for ever: one that kills its worker each time must end.
MAX_RUNS = 3
#: Submit answers 503 after this long without the broker.
SUBMIT_SECONDS = 2.0
#: `/health` believes in a worker for ten seconds after it was last heard of.
HEARTBEAT_SECONDS = 2.0
#: How often a running task is looked at that reports no progress: it may have been cancelled.
_LOOK_SECONDS = 1.0

#: Sends a task id and a prompt to a worker. Whatever it raises, the broker cannot be reached.
HandOver = Callable[[str, str], Awaitable[object]]


def redis_url(settings: Settings) -> str:
    """Where the broker is. A contender's file is also imported where nothing is served, and then it says nothing."""
    return settings.redis_url or "redis://localhost"


def web_app(
    pattern: Pattern,
    hand_over: HandOver,
    connected: Callable[[], AbstractAsyncContextManager[Any]] = nullcontext,
) -> FastAPI:
    """The web side of a queue whose tasks are given to workers by `hand_over`.

    `connected` opens what that needs, and closes it when the server stops.
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
                    await _reaching_the_broker(hand_over, task_id, body.prompt)
                    if key is not None:
                        await store.mark_sent(key)
        except (Unavailable, TimeoutError) as error:
            await store.forget(task_id)
            raise error if isinstance(error, Unavailable) else Unavailable("The broker did not reply.") from error
        return accepted(task, request, settings)

    add_shared_routes(app, pattern, store, settings)
    return app


async def _reaching_the_broker(hand_over: HandOver, task_id: str, prompt: str) -> None:
    try:
        await hand_over(task_id, prompt)
    except Exception as error:  # each library has exceptions of its own
        raise Unavailable(f"The broker cannot be reached ({type(error).__name__}). Nothing was accepted.") from error


class Work:
    """The worker side of any queue: runs the agent for a task, and writes its record as it goes.

    `how` says where the agent runs; by default an async one on the caller's event loop, a sync one in a thread.
    """

    def __init__(self, settings: Settings, how: RunAgent = run_on_event_loop) -> None:
        self._timeout = settings.task_timeout_seconds
        self._records = WorkerRecords(settings, redis_url(settings))
        self._agent: Agent = load_agent(settings)
        self._how = how
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._running: set[str] = set()

    @property
    def in_hand(self) -> int:
        """How many tasks it is at."""
        return len(self._running)

    async def run(self, task_id: str, prompt: str) -> None:
        """Run one task to its end, whatever the agent does.

        Raises `RedisError` when that could not be written down: then the task has to be run again.
        """
        if not await asyncio.to_thread(self._records.start, task_id, MAX_RUNS):
            return  # it was cancelled while it waited, or this is a second delivery of it
        self._running.add(task_id)
        try:
            await self._watched(task_id, prompt)
        finally:
            self._running.discard(task_id)

    def heartbeat(self) -> None:
        """Let `/health` know that this worker lives. Blocks."""
        with suppress(RedisError):  # the next one may get through
            self._records.heartbeat(self._name)

    async def heartbeats(self) -> NoReturn:
        """Do so until cancelled."""
        while True:
            await asyncio.to_thread(self.heartbeat)
            await asyncio.sleep(HEARTBEAT_SECONDS)

    def put_back(self) -> None:
        """Note that this worker stops, and does not die: the runs of what it has in hand do not count. Blocks."""
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
            now, said = checked_report(percent, message)
            last = now, said or last[1]  # reports may come faster than they are written
            loop.call_soon_threadsafe(reported.set)

        async def keep_the_record() -> None:
            """Write progress as it comes. Returns when nobody wants the task any more."""
            wanted = True
            while wanted:
                with suppress(TimeoutError):
                    await asyncio.wait_for(reported.wait(), _LOOK_SECONDS)
                reported.clear()
                wanted = await asyncio.to_thread(self._records.progress, task_id, *last)

        working = asyncio.create_task(self._job(prompt, report_progress))
        keeping = asyncio.create_task(keep_the_record())
        try:
            await asyncio.wait({working, keeping}, timeout=self._timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended = True
            keeping.cancel()
            abandon(working)
        if working.done():
            await asyncio.to_thread(self._finish, task_id, working)
        elif keeping.done():
            keeping.result()  # raises, if the record could not be written
        else:
            message = f"The task ran longer than {self._timeout:g} s."
            await asyncio.to_thread(self._records.fail, task_id, ErrorCode.TIMEOUT, message)

    async def _job(self, prompt: str, report_progress: ReportProgress) -> str:
        try:
            return await self._how(self._agent, prompt, report_progress)
        except (SystemExit, KeyboardInterrupt) as error:
            raise RuntimeError("the agent called sys.exit()") from error  # it must not take the worker with it

    def _finish(self, task_id: str, working: asyncio.Task[str]) -> None:
        if working.cancelled():
            self._records.fail(task_id, ErrorCode.AGENT_ERROR, "The agent cancelled itself.")
        elif (error := working.exception()) is not None:
            self._records.fail(task_id, ErrorCode.AGENT_ERROR, describe(error))
        else:
            self._records.complete(task_id, working.result())


def work_or_exit(settings: Settings, how: RunAgent = run_on_event_loop) -> Work:
    """A worker's `Work`. One whose agent cannot be loaded ends here, in one line, before it takes a task."""
    try:
        return Work(settings, how)
    except SettingsError as error:
        print(f"kit: {error}", file=sys.stderr)  # noqa: T201 the parent has nothing to add
        sys.exit(os.EX_CONFIG)
