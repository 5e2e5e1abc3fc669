"""Dramatiq and Redis: threads of a worker process take jobs from a list in Redis.

The idea. `send` puts a message in a list; a worker moves it to a set of its own and takes it out there when the
work is done. Each command that a worker sends is a sign of life. What a worker had in hand that has been silent
for `heartbeat_timeout` is put back, by whichever worker looks next.

Use it when one process with threads is enough for each machine, and Celery's settings are too many.

It breaks when the broker loses its data. A thread cannot be killed, so a sync agent that hangs keeps its thread
until the worker ends; its record is ended all the same. Async agents share one event loop, so that one that blocks
holds up all tasks of its worker.
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
    # Looking for silent workers is left to chance: by default to one command of a thousand, which an idle worker
    # sends within minutes. One of twenty is within seconds.
    maintenance_chance=MAINTENANCE_SCALE // 20,
    # Of the usual middleware only this one. TimeLimit would end tasks after ten minutes, and cannot interrupt a
    # thread that waits; the record has a timeout of its own.
    middleware=[Retries()],
)
dramatiq.set_broker(broker)


@cache
def work() -> Work:
    """The worker's side, made once."""
    return work_or_exit(settings)


# Retried is a task that could not write its outcome, without an end: by default the twenty-first failure would drop it.
@dramatiq.actor(queue_name="agent", max_retries=None, min_backoff=1000, max_backoff=10_000)
def run_agent(task_id: str, prompt: str) -> None:
    """Run one task. Dramatiq acknowledges the message after this returns."""
    wait_on_process_loop(lambda: work().run(task_id, prompt))


def create_app() -> FastAPI:
    """The web side. `send` blocks, so it is kept off the event loop."""
    return web_app(PATTERN, lambda task_id, prompt: asyncio.to_thread(run_agent.send, task_id, prompt))


def main() -> None:
    """Work until told to stop; then give what is in hand the grace period."""
    work()
    # An idle worker looks for messages this often, in milliseconds. By default it is a second.
    worker = dramatiq.Worker(broker, worker_threads=settings.workers, worker_timeout=100)
    # It would take twice as many messages as it has threads, and half of them would wait behind a long task.
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
