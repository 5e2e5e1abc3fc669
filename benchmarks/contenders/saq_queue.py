"""SAQ and Redis: one event loop in a worker process runs many jobs at once.

The idea. A worker moves a job's id from the list of those that wait to the list of those at work, and takes it out
there when the work is done. A job that has not been touched for as long as its `heartbeat` belongs to a dead
worker: any worker that sweeps puts it back.

Use it when the web app and the agent are asyncio already, and jobs are mostly waiting.

It breaks when the broker loses its data, and when a worker is killed while it sweeps: for five seconds the job that
it sweeps is in no list, so nobody finds it again. Dead workers' jobs are swept one after the other, five seconds
each. An `async` agent that blocks holds up all jobs of its worker, and their heartbeats too: another worker runs
them a second time.
"""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import FastAPI
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from saq.job import Job
from saq.queue.redis import RedisQueue

from benchmarks.contenders.shared import HEARTBEAT_SECONDS, redis_url, web_app, work_or_exit
from patterns.contract.descriptor import Fault, LearnsBy, Pattern, Process, Question, RunsIn
from patterns.contract.settings import Settings, load_settings

PATTERN = Pattern(
    name="saq_queue",
    title="SAQ and Redis",
    summary="The event loop of a worker process runs many jobs at once.",
    app="benchmarks.contenders.saq_queue:create_app",
    runs_in=RunsIn.WORKER_PROCESS,
    learns_by=LearnsBy.FIXED_POLL,
    teaches=Question.RUNS_IN,
    loses_on=frozenset({Fault.BROKER_LOSS, Fault.WORKER_KILL}),  # the second, when it comes while a worker sweeps
    processes=(Process(name="worker", arguments=("-m", "saq", "benchmarks.contenders.saq_queue.worker")),),
    needs=frozenset({"redis"}),
)

#: A job that is not touched for so long, in seconds, is run again.
_SILENCE_SECONDS = 10
#: The record counts runs, and says when there were too many. SAQ must not give up before.
_WITHOUT_END = 1_000_000


def new_queue(settings: Settings, **options: Any) -> RedisQueue:
    """The queue, for the web side and the worker side. `options` are those of the Redis client."""
    return RedisQueue(Redis.from_url(redis_url(settings), **options), name=f"{settings.key_prefix}agent")


def create_app() -> FastAPI:
    """The web side: `enqueue` is a coroutine, and needs no thread."""
    settings = load_settings()
    queue = new_queue(settings, socket_timeout=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 1))

    @asynccontextmanager
    async def connected() -> AsyncIterator[None]:
        await queue.connect()
        yield
        await queue.disconnect()

    async def hand_over(task_id: str, prompt: str) -> None:
        await queue.enqueue(
            "run_agent",
            key=task_id,  # the same task twice in the queue is one job
            task_id=task_id,
            prompt=prompt,
            retries=_WITHOUT_END,  # by default 1: a job whose worker died would not be run again
            heartbeat=_SILENCE_SECONDS,
            timeout=math.ceil(settings.task_timeout_seconds) + 5,  # by default 10 s; the record's own comes first
            ttl=-1,  # nobody looks at SAQ's own record of it
        )

    return web_app(PATTERN, hand_over, connected)


def worker() -> dict[str, Any]:
    """The settings of `python -m saq`."""
    settings = load_settings()
    work = work_or_exit(settings)
    beating: set[asyncio.Task[Any]] = set()

    async def run_agent(context: Any, *, task_id: str, prompt: str) -> None:
        alive = asyncio.create_task(touch(context["job"]))
        try:
            await work.run(task_id, prompt)
        finally:
            alive.cancel()
            # A touch after the end would write SAQ's record of the job again.
            await asyncio.wait({alive})

    async def touch(job: Job) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            with suppress(RedisError):
                await job.update()

    async def startup(context: Any) -> None:
        beating.add(asyncio.create_task(work.heartbeats()))

    async def shutdown(context: Any) -> None:
        for task in beating:
            task.cancel()
        await asyncio.to_thread(work.put_back)

    return {
        "queue": new_queue(settings),
        "functions": [("run_agent", run_agent)],
        "concurrency": settings.workers,
        "startup": startup,
        "shutdown": shutdown,
        # Shorter than the five seconds after which redis-py 8 gives up waiting for an answer.
        "dequeue_timeout": 2.0,
        # Sweeping is once a minute by default.
        "timers": {"sweep": 5},
        "shutdown_grace_period_s": settings.grace_seconds,
    }
