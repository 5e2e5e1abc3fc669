"""Dramatiq and Redis: threads of a worker process take jobs from a list in Redis.

How it works. `send` puts a message in a list; a worker moves it to its own set and removes it when the task is done.
Every command of a worker counts as a heartbeat. The messages of a worker that has been silent for
`heartbeat_timeout` are requeued by the next worker that checks.

Use it if one process with threads per machine is enough and Celery has more settings than you need.

It loses tasks when the broker loses its data. A thread cannot be killed, so a sync agent that hangs occupies its
thread until the worker ends, although its record times out. Async agents share one event loop, so an agent that blocks
it delays all tasks of its worker.
"""

import asyncio
import signal
import threading
from functools import cache

import dramatiq
import redis
from dramatiq.brokers.redis import MAINTENANCE_SCALE, RedisBroker
from dramatiq.middleware import Retries
from fastapi import FastAPI
from redis.backoff import NoBackoff
from redis.retry import Retry

from benchmarks.contenders.shared import HEARTBEAT_SECONDS, Work, redis_url, web_app, work_or_exit
from patterns.agents.process_loop import wait_on_process_loop
from patterns.contract.descriptor import Fault, LearnsBy, Pattern, Process, Question, RunsIn
from patterns.contract.settings import load_settings

PATTERN = Pattern(
    name="dramatiq_queue",
    title="Dramatiq and Redis",
    summary="Threads of a worker process take jobs from a list in Redis.",
    app="benchmarks.contenders.dramatiq_queue:create_app",
    runs_in=RunsIn.WORKER_PROCESS,
    learns_by=LearnsBy.FIXED_POLL,
    teaches=Question.RUNS_IN,
    loses_on=frozenset({Fault.BROKER_LOSS}),
    processes=(Process(name="worker", arguments=("-m", "benchmarks.contenders.dramatiq_queue")),),
    needs=frozenset({"redis"}),
)

settings = load_settings()
broker = RedisBroker(
    client=redis.Redis.from_url(redis_url(settings), socket_timeout=1, retry=Retry(NoBackoff(), 1)),
    namespace=f"{settings.key_prefix}dramatiq",
    heartbeat_timeout=10_000,
    # The check for silent workers runs on a random share of commands, by default one in a thousand, which takes an
    # idle worker minutes. With one in twenty it takes seconds.
    maintenance_chance=MAINTENANCE_SCALE // 20,
    # The only middleware needed. TimeLimit would end tasks after ten minutes, and cannot interrupt a waiting thread;
    # the record has its own timeout.
    middleware=[Retries()],
)
dramatiq.set_broker(broker)


@cache
def work() -> Work:
    """The worker side, created once."""
    return work_or_exit(settings)


# A task that could not write its outcome is retried forever; by default, it would be dropped after twenty retries.
@dramatiq.actor(queue_name="agent", max_retries=None, min_backoff=1000, max_backoff=10_000)
def run_agent(task_id: str, prompt: str) -> None:
    """Run one task. Dramatiq acknowledges the message after this returns."""
    wait_on_process_loop(lambda: work().run(task_id, prompt))


def create_app() -> FastAPI:
    """The web side. `send` blocks, so it runs in a thread."""
    return web_app(PATTERN, lambda task_id, prompt: asyncio.to_thread(run_agent.send, task_id, prompt))


def main() -> None:
    """Work until SIGTERM; then give running tasks the grace period."""
    work()
    # The interval in milliseconds at which an idle worker looks for messages; by default a second.
    worker = dramatiq.Worker(broker, worker_threads=settings.workers, worker_timeout=100)
    # By default it prefetches twice as many messages as it has threads, and half of them wait behind long tasks.
    worker.queue_prefetch = settings.workers
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    worker.start()
    while not stop.is_set():
        work().heartbeat()
        stop.wait(HEARTBEAT_SECONDS)
    worker.stop(timeout=int(1000 * settings.grace_seconds))
    work().put_back()


if __name__ == "__main__":
    main()
