"""Taskiq and a Redis stream: one event loop in a worker process runs many tasks at once.

How it works. A stream with a consumer group keeps a message as pending until its worker acknowledges it. A message
that has been pending for `idle_timeout` belongs to a dead worker and is claimed by another.

Use it if web app and agent already use asyncio, and you want to change the broker (Redis, NATS, RabbitMQ) without
changing code.

It loses tasks when the broker loses its data. The tasks of a dead worker run again only after the task timeout. An
`async` agent that blocks delays all tasks of its worker.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import cache

from fastapi import FastAPI
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from taskiq import Context, TaskiqDepends, TaskiqError, TaskiqEvents, TaskiqState
from taskiq.cli.common_args import LogLevel
from taskiq.cli.worker.args import WorkerArgs
from taskiq.cli.worker.run import run_worker
from taskiq_redis import RedisStreamBroker

from benchmarks.contenders.shared import Work, redis_url, web_app, work_or_exit
from patterns.contract.descriptor import Fault, LearnsBy, Pattern, Process, Question, RunsIn
from patterns.contract.settings import load_settings

PATTERN = Pattern(
    name="taskiq_queue",
    title="Taskiq and a Redis stream",
    summary="The event loop of a worker process runs many tasks at once.",
    app="benchmarks.contenders.taskiq_queue:create_app",
    runs_in=RunsIn.WORKER_PROCESS,
    learns_by=LearnsBy.FIXED_POLL,
    teaches=Question.RUNS_IN,
    loses_on=frozenset({Fault.BROKER_LOSS}),
    processes=(Process(name="worker", arguments=("-m", "benchmarks.contenders.taskiq_queue")),),
    needs=frozenset({"redis"}),
)

#: How often a worker checks for messages of dead workers.
_CHECK_SECONDS = 1.0

settings = load_settings()


class Broker(RedisStreamBroker):
    """Also deletes acknowledged entries, which taskiq-redis would leave in the stream."""

    def _ack_generator(self, id: str, queue_name: str) -> Callable[[], Awaitable[None]]:  # noqa: A002 its name there
        async def acknowledge() -> None:
            async with Redis(connection_pool=self.connection_pool) as client, client.pipeline() as both:
                both.xack(queue_name, self.consumer_group_name, id)
                both.xdel(queue_name, id)
                await both.execute()

        return acknowledge


broker = Broker(
    redis_url(settings),
    queue_name=f"{settings.key_prefix}taskiq",
    consumer_group_name=f"{settings.key_prefix}taskiq",
    # By default "$": messages sent before the first worker starts would never be read.
    consumer_id="0",
    # By default a hundred, which would wait behind long tasks of the same worker.
    xread_count=1,
    unacknowledged_batch_size=1,
    # In milliseconds. Longer than any task, or a live one would run twice.
    idle_timeout=int(1000 * settings.task_timeout_seconds) + 5000,
    # Longer than the two seconds for which a worker blocks in Redis.
    socket_timeout=5,
    # Without a retry, the first request after a restart of Redis would fail.
    retry=Retry(NoBackoff(), 1),
)


@cache
def work() -> Work:
    """The worker side, created once."""
    return work_or_exit(settings)


# Acknowledged manually: otherwise a task that could not write its outcome would be acknowledged too.
@broker.task(task_name="run_agent", ack_type="manual")
async def run_agent(task_id: str, prompt: str, context: Context = TaskiqDepends()) -> None:  # noqa: B008 its way
    """Run one task."""
    await work().run(task_id, prompt)
    await context.ack()


@broker.task(task_name="wake_up")
async def wake_up() -> None:
    """Does nothing, but makes an idle worker check for messages of dead workers, which it does only after a message."""


async def run_background() -> None:
    """The background work of a worker, until cancelled: heartbeats, and checks for messages of dead workers."""
    heartbeats = asyncio.create_task(work().heartbeats())
    try:
        while True:
            await asyncio.sleep(_CHECK_SECONDS)
            if work().running_tasks < settings.workers:
                with suppress(TaskiqError):
                    await wake_up.kiq()
    finally:
        heartbeats.cancel()


@broker.on_event(TaskiqEvents.WORKER_STARTUP)
async def begin(state: TaskiqState) -> None:
    """Start the background work."""
    state.background = asyncio.create_task(run_background())


@broker.on_event(TaskiqEvents.WORKER_SHUTDOWN)
async def end(state: TaskiqState) -> None:
    """Stop the background work, and report to `/health` that the worker stops."""
    state.background.cancel()
    await asyncio.to_thread(work().put_back)


def create_app() -> FastAPI:
    """The web side. `kiq` is a coroutine and needs no thread."""

    @asynccontextmanager
    async def connected() -> AsyncIterator[None]:
        await broker.startup()
        yield
        await broker.shutdown()

    async def hand_over(task_id: str, prompt: str) -> None:
        await run_agent.kiq(task_id, prompt)

    return web_app(PATTERN, hand_over, connected)


def main() -> None:
    """Run `taskiq worker` with the kit's settings: one process, which is restarted if it dies."""
    work()  # exits here if the agent cannot be loaded, instead of restarting forever
    run_worker(
        WorkerArgs(
            broker=f"{PATTERN.module}:broker",
            modules=[],
            workers=1,
            max_async_tasks=settings.workers,
            wait_tasks_timeout=settings.grace_seconds,
            log_level=LogLevel.WARNING,
        )
    )


if __name__ == "__main__":
    main()
