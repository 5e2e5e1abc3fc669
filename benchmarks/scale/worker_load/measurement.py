"""The load of tasks and workers on the Redis that they share: `python -m benchmarks.scale.worker_load`.

With a real `celery_queue`, tasks wait without a worker, then a worker runs them, then it idles. A thousand simulated
workers then send the same idle commands: with the kit's settings, and with a sweep for the messages of dead workers
once a minute instead of every second. The costs are read from Redis's own counters.
"""

import json
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

import httpx
import psutil

from benchmarks.scale.hammer import HammerFailed, run_hammer
from benchmarks.scale.worker_load.idle_workers import simulate
from benchmarks.scale.worker_load.redis_counters import RedisCounters, RedisUsage
from patterns import CELERY_QUEUE
from patterns.serving.processes import Family
from patterns.serving.redis_server import start_redis
from patterns.serving.running import Role, Running, running
from patterns.serving.waiting import until

Say = Callable[[str], None]

_PROMPT = "Compare the three vendors in this contract."
_ENV = {
    "KIT_AGENT": "simulated",
    "KIT_AGENT_STEPS": "10",
    "KIT_AGENT_STEP_SECONDS": "0",
    "KIT_QUEUE_SIZE": "1000000",
    "KIT_KEY_PREFIX": "kit:",
    "KIT_GRACE_SECONDS": "1",
}
_DONE_SECONDS = 600.0
_ARRIVAL_SECONDS = 120.0
#: The intervals at which simulated workers sweep for messages of dead workers: the kit's setting, and a longer one.
_SWEEP_SECONDS = (1.0, 60.0)


@dataclass(frozen=True)
class Crowd:
    """The load of many simulated idle workers."""

    sweep_seconds: float
    commands_per_second: float
    redis_cpu_share: float
    health_milliseconds: list[float]  # p50, p99


@dataclass(frozen=True)
class WorkerLoad:
    """All measurements."""

    tasks: int
    processes: int
    bytes_per_waiting_task: float
    bytes_per_finished_task: float
    commands_per_task: float
    redis_cpu_microseconds_per_task: float
    web_cpu_microseconds_per_submit: float
    connections_per_worker: int
    idle_commands_per_second: float
    idle_commands: dict[str, float]
    health_milliseconds: list[float]  # p50, p99, with this worker alone
    simulated_workers: int
    crowds: list[Crowd]


def measure(tasks: int, processes: int, simulated: int, idle_seconds: float, folder: Path, say: Say) -> WorkerLoad:
    """Queue tasks and run them; then idle with one worker, and with many simulated ones."""
    with Family() as family:
        server = start_redis(family)
        env = {**_ENV, "KIT_WORKERS": str(processes), "REDIS_URL": server.url}
        counters = RedisCounters(server.url)
        with running(CELERY_QUEUE, role=Role.WEB, env=env, log=folder / "web.log") as web:
            say(f"submitting {tasks:,} tasks without a worker")
            waiting, web_cpu = _submit(web, counters, tasks)
            before = len(counters.client.client_list())
            with running(CELERY_QUEUE, role=Role.WORKER, env=env, log=folder / "worker.log"):
                say("a worker runs them")
                with counters.spent() as doing:
                    _wait_until_done(counters)
                connections = len(counters.client.client_list()) - before
                health = _health(web)
                say(f"the worker idles for {idle_seconds:g} s")
                idle, idle_calls = _idle(counters, idle_seconds)
            kept = counters.bytes_of_records()
            crowds = []
            for interval in _SWEEP_SECONDS:
                say(f"{simulated:,} simulated workers idle and sweep every {interval:g} s")
                crowds.append(_crowd(counters, server.url, simulated, interval, idle_seconds, web))
    (done,) = doing
    return WorkerLoad(
        tasks=tasks,
        processes=processes,
        bytes_per_waiting_task=waiting.memory / tasks,
        bytes_per_finished_task=kept,
        commands_per_task=(waiting.commands + done.commands) / tasks,
        redis_cpu_microseconds_per_task=1e6 * (waiting.cpu_seconds + done.cpu_seconds) / tasks,
        web_cpu_microseconds_per_submit=1e6 * web_cpu / tasks,
        connections_per_worker=connections,
        idle_commands_per_second=idle.commands / idle.seconds,
        idle_commands=idle_calls,
        health_milliseconds=health,
        simulated_workers=simulated,
        crowds=crowds,
    )


def _submit(web: Running, counters: RedisCounters, tasks: int) -> tuple[RedisUsage, float]:
    """Submit the tasks. Returns the usage of Redis, and the CPU seconds of the web process."""
    port, body = int(str(web.url).rpartition(":")[2]), json.dumps({"prompt": _PROMPT})
    run_hammer(port, body, 8, answers=50)  # warm-up: creates connections and loads scripts
    cpu_before = _cpu_seconds(web)
    with counters.spent() as spent:
        submitted = run_hammer(port, body, 8, answers=tasks)
    if submitted.others:
        raise HammerFailed(f"{submitted.others} submits were not accepted.")
    return spent[0], _cpu_seconds(web) - cpu_before


def _idle(counters: RedisCounters, seconds: float) -> tuple[RedisUsage, dict[str, float]]:
    """The usage of Redis while the worker idles, and the calls of each command per second."""
    calls = counters.by_command()
    with counters.spent() as spent:
        time.sleep(seconds)
    more = {name: count - calls.get(name, 0) for name, count in counters.by_command().items()}
    return spent[0], {name: round(count / spent[0].seconds, 2) for name, count in more.items() if count}


def _cpu_seconds(web: Running) -> float:
    spent = psutil.Process(web.children[0].pid).cpu_times()
    return float(spent.user + spent.system)


def _wait_until_done(counters: RedisCounters) -> None:
    if not until(lambda: not counters.client.zcard("kit:unfinished"), _DONE_SECONDS, pause=0.1):
        left = counters.client.zcard("kit:unfinished")
        raise HammerFailed(f"{left} tasks did not finish within {_DONE_SECONDS:g} s.")


def _health(web: Running, times: int = 200) -> list[float]:
    """The p50 and p99 of `/health` in milliseconds."""
    took = []
    with httpx.Client(trust_env=False) as client:
        for _ in range(times):
            began = time.perf_counter()
            client.get(f"{web.url}/health")
            took.append(1000 * (time.perf_counter() - began))
    return [round(median(took), 2), round(quantiles(took, n=100)[98], 2)]


def _crowd(counters: RedisCounters, url: str, workers: int, interval: float, seconds: float, web: Running) -> Crowd:
    """The usage of Redis and the latency of `/health` while simulated workers idle in another process."""
    context = multiprocessing.get_context("spawn")
    over = context.Event()
    simulation = context.Process(target=simulate, args=(url, workers, interval, over), daemon=True)
    simulation.start()
    try:
        settled = until(
            lambda: not simulation.is_alive() or len(counters.client.client_list()) >= workers,
            _ARRIVAL_SECONDS,
            pause=0.1,
        )
        if not settled or not simulation.is_alive():
            raise HammerFailed("The simulated workers did not all connect.")
        began = time.monotonic()
        with counters.spent() as spent:
            health = _health(web)
            time.sleep(max(0.0, began + seconds - time.monotonic()))
        if not simulation.is_alive():
            raise HammerFailed("The simulated workers ended early.")
    finally:
        over.set()
        simulation.join()
    (many,) = spent
    return Crowd(interval, many.commands / many.seconds, many.cpu_seconds / many.seconds, health)
