"""SAQ and Redis: one event loop in a worker process runs many jobs at once.

How it works. A worker moves a job's id from the queued list to the active list, and removes it when the job is done.
A job that has not been touched for its `heartbeat` belongs to a dead worker; any worker that sweeps requeues it.

Use it if web app and agent already use asyncio, and jobs mostly wait.

It loses tasks when the broker loses its data, and when a worker is killed during a sweep: for five seconds, the job
that it sweeps is in no list. Sweeping takes five seconds per job of a dead worker. An `async` agent that blocks
delays all jobs of its worker and their heartbeats, so that another worker runs them a second time.
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
    loses_on=frozenset({Fault.BROKER_LOSS, Fault.WORKER_KILL}),  # the latter only during a sweep
    processes=(Process(name="worker", arguments=("-m", "saq", "benchmarks.contenders.saq_queue.worker")),),
    needs=frozenset({"redis"}),
)

#: A job that is not touched for so long runs again.
_SILENCE_SECONDS = 10
#: The record counts and limits the runs, so SAQ must not give up first.
_UNLIMITED = 1_000_000


def new_queue(settings: Settings, **options: Any) -> RedisQueue:
    """The queue, for web and worker side. `options` are passed to the Redis client."""
    return RedisQueue(Redis.from_url(redis_url(settings), **options), name=f"{settings.key_prefix}agent")


def create_app() -> FastAPI:
    """The web side. `enqueue` is a coroutine and needs no thread."""
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
            key=task_id,  # enqueueing a task twice gives one job
            task_id=task_id,
            prompt=prompt,
            retries=_UNLIMITED,  # by default 1: the job of a dead worker would not run again
            heartbeat=_SILENCE_SECONDS,
            timeout=math.ceil(settings.task_timeout_seconds) + 5,  # by default 10 s; the record times out first
            ttl=-1,  # SAQ's own record of the job is not used
        )

    return web_app(PATTERN, hand_over, connected)


def worker() -> dict[str, Any]:
    """The settings of `python -m saq`."""
    settings = load_settings()
    work = work_or_exit(settings)
    heartbeats: set[asyncio.Task[Any]] = set()

    async def run_agent(context: Any, *, task_id: str, prompt: str) -> None:
        touching = asyncio.create_task(_touch_repeatedly(context["job"]))
        try:
            await work.run(task_id, prompt)
        finally:
            touching.cancel()
            # A touch after the end would recreate SAQ's record of the job.
            await asyncio.wait({touching})

    async def startup(context: Any) -> None:
        heartbeats.add(asyncio.create_task(work.heartbeats()))

    async def shutdown(context: Any) -> None:
        for task in heartbeats:
            task.cancel()
        await asyncio.to_thread(work.put_back)

    return {
        "queue": new_queue(settings),
        "functions": [("run_agent", run_agent)],
        "concurrency": settings.workers,
        "startup": startup,
        "shutdown": shutdown,
        # Shorter than redis-py 8's socket timeout of five seconds.
        "dequeue_timeout": 2.0,
        # By default, sweeps are a minute apart.
        "timers": {"sweep": 5},
        "shutdown_grace_period_s": settings.grace_seconds,
    }


async def _touch_repeatedly(job: Job) -> None:
    while True:
        await asyncio.sleep(HEARTBEAT_SECONDS)
        with suppress(RedisError):
            await job.update()
