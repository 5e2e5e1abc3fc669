"""Taskiq and a Redis stream: one event loop in a worker process runs many tasks at once.

The idea. A stream with a consumer group keeps what a worker has taken as pending until it is acknowledged. What
has been pending for `idle_timeout` belongs to a dead worker, and is claimed by another.

Use it when the web app and the agent are asyncio already, and you want to choose the broker (Redis, NATS, RabbitMQ)
without another line.

It breaks when the broker loses its data. What a dead worker had is run again only after longer than a task may take.
An `async` agent that blocks holds up all tasks of its worker.
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

#: How often a worker looks what others have left behind.
_LOOK_SECONDS = 1.0

settings = load_settings()


class Broker(RedisStreamBroker):
    """taskiq-redis' own, but that what is done is also deleted: acknowledged entries would stay in the stream."""

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
    # By default "$": what was sent before the first worker came would never be read.
    consumer_id="0",
    # By default a hundred: they would wait behind the long tasks of the worker that took them.
    xread_count=1,
    unacknowledged_batch_size=1,
    # In milliseconds. Longer than any task takes, or one that is alive would be run twice.
    idle_timeout=int(1000 * settings.task_timeout_seconds) + 5000,
    # More than the two seconds for which a worker lets Redis hold its answer.
    socket_timeout=5,
    # Without a second try the first request after a restart of Redis would fail.
    retry=Retry(NoBackoff(), 1),
)


@cache
def work() -> Work:
    """The worker's side, made once."""
    return work_or_exit(settings)


# Acknowledged by hand: otherwise a task that could not write its outcome would be acknowledged too.
@broker.task(task_name="run_agent", ack_type="manual")
async def run_agent(task_id: str, prompt: str, context: Context = TaskiqDepends()) -> None:  # noqa: B008 its way
    """Run one task."""
    await work().run(task_id, prompt)
    await context.ack()


@broker.task(task_name="look_around")
async def look_around() -> None:
    """Nothing, but a worker that has received it looks what others have left behind; an idle one never does."""


async def live() -> None:
    """What a worker does beside its work, until it is cancelled."""
    beating = asyncio.create_task(work().heartbeats())
    try:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if work().in_hand < settings.workers:
                with suppress(TaskiqError):
                    await look_around.kiq()
    finally:
        beating.cancel()


@broker.on_event(TaskiqEvents.WORKER_STARTUP)
async def begin(state: TaskiqState) -> None:
    """Let `/health` know that a worker is there."""
    state.life = asyncio.create_task(live())


@broker.on_event(TaskiqEvents.WORKER_SHUTDOWN)
async def end(state: TaskiqState) -> None:
    """Let `/health` know that it stops."""
    state.life.cancel()
    await asyncio.to_thread(work().put_back)


def create_app() -> FastAPI:
    """The web side: `kiq` is a coroutine, and needs no thread."""

    @asynccontextmanager
    async def connected() -> AsyncIterator[None]:
        await broker.startup()
        yield
        await broker.shutdown()

    async def hand_over(task_id: str, prompt: str) -> None:
        await run_agent.kiq(task_id, prompt)

    return web_app(PATTERN, hand_over, connected)


def main() -> None:
    """What `taskiq worker` does, with this kit's settings. Its one process is started again when it dies."""
    work()  # ends here, and not again and again there, when there is no such agent
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
