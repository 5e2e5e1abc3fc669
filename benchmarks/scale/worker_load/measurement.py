"""What tasks and workers cost the Redis they share: `python -m benchmarks.scale.worker_load`.

Real parts of `celery_queue`: tasks wait with no worker there, then a worker does them, then it idles. What Celery
itself asks of Redis meanwhile is then asked by a thousand simulated ones at once: as the kit sets them up, and with a
sweep for dead workers' messages once a minute instead of each second. Redis's own counters tell what it cost.
"""

import json
import multiprocessing
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

import httpx
import psutil
from rich.console import Console

from benchmarks.scale.hammer import HammerFailed, run_hammer
from benchmarks.scale.worker_load.idle_workers import simulate
from benchmarks.scale.worker_load.redis_counters import RedisCounters
from patterns import CELERY_QUEUE
from patterns.serving.processes import Family
from patterns.serving.redis_server import start_redis
from patterns.serving.running import Role, Running, running
from patterns.serving.waiting import until

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
#: A simulated worker sweeps for dead workers' messages so often, in seconds: as `celery_brokers` says, and seldom.
_SWEEP_SECONDS = (1.0, 60.0)


@dataclass(frozen=True)
class Crowd:
    """What many simulated idle workers cost."""

    sweep_seconds: float
    commands_per_second: float
    redis_cpu_share: float
    health_milliseconds: list[float]  # p50, p99


@dataclass(frozen=True)
class WorkerLoad:
    """Everything that was measured."""

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


def measure(
    tasks: int, processes: int, simulated: int, idle_seconds: float, folder: Path, progress: Console
) -> WorkerLoad:
    """Let tasks wait, be done, and be kept; then idle with one worker, and with many simulated ones."""
    with Family() as family:
        server = start_redis(family)
        env = {**_ENV, "KIT_WORKERS": str(processes), "REDIS_URL": server.url}
        counters = RedisCounters(server.url)
        with running(CELERY_QUEUE, role=Role.WEB, env=env, log=folder / "web.log") as web:
            port = int(str(web.url).rpartition(":")[2])
            run_hammer(port, json.dumps({"prompt": _PROMPT}), 8, answers=50)  # connections and scripts are there now
            progress.print(f"{tasks:,} tasks wait, and no worker is there", style="dim")
            cpu_before = _cpu_seconds(web)
            with counters.spent() as waiting:
                submitted = run_hammer(port, json.dumps({"prompt": _PROMPT}), 8, answers=tasks)
            if submitted.others:
                raise HammerFailed(f"{submitted.others} submits were not accepted.")
            web_cpu, before = _cpu_seconds(web) - cpu_before, counters.client.client_list()
            with running(CELERY_QUEUE, role=Role.WORKER, env=env, log=folder / "worker.log"):
                progress.print("a worker does them", style="dim")
                with counters.spent() as doing:
                    _wait_until_done(counters)
                connections = len(counters.client.client_list()) - len(before)
                quiet, calls = _health(web), counters.by_command()
                progress.print(f"the worker idles for {idle_seconds:g} s", style="dim")
                with counters.spent() as idle:
                    time.sleep(idle_seconds)
                idle_calls = {name: n - calls.get(name, 0) for name, n in counters.by_command().items()}
            kept = counters.bytes_of_records()
            crowds = []
            for interval in _SWEEP_SECONDS:
                progress.print(f"{simulated:,} simulated workers idle, and sweep every {interval:g} s", style="dim")
                crowds.append(_crowd(counters, server.url, simulated, interval, idle_seconds, web))
    wait, done = waiting[0], doing[0]
    return WorkerLoad(
        tasks=tasks,
        processes=processes,
        bytes_per_waiting_task=wait.memory / tasks,
        bytes_per_finished_task=kept,
        commands_per_task=(wait.commands + done.commands) / tasks,
        redis_cpu_microseconds_per_task=1e6 * (wait.cpu_seconds + done.cpu_seconds) / tasks,
        web_cpu_microseconds_per_submit=1e6 * web_cpu / tasks,
        connections_per_worker=connections,
        idle_commands_per_second=idle[0].commands / idle[0].seconds,
        idle_commands={name: round(n / idle[0].seconds, 2) for name, n in idle_calls.items() if n},
        health_milliseconds=quiet,
        simulated_workers=simulated,
        crowds=crowds,
    )


def _cpu_seconds(web: Running) -> float:
    spent = psutil.Process(web.children[0].pid).cpu_times()
    return float(spent.user + spent.system)


def _wait_until_done(counters: RedisCounters) -> None:
    if not until(lambda: not counters.client.zcard("kit:unfinished"), _DONE_SECONDS, pause=0.1):
        left = counters.client.zcard("kit:unfinished")
        raise HammerFailed(f"{left} tasks were not done after {_DONE_SECONDS:g} s.")


def _health(web: Running, times: int = 200) -> list[float]:
    """The p50 and the p99 of `/health`, in milliseconds."""
    took = []
    with httpx.Client(trust_env=False) as client:
        for _ in range(times):
            began = time.perf_counter()
            client.get(f"{web.url}/health")
            took.append(1000 * (time.perf_counter() - began))
    return [round(median(took), 2), round(quantiles(took, n=100)[98], 2)]


def _crowd(counters: RedisCounters, url: str, workers: int, interval: float, seconds: float, web: Running) -> Crowd:
    """What Redis and `/health` do while so many simulated workers idle in another process."""
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
            raise HammerFailed("The simulated workers broke off.")
    finally:
        over.set()
        simulation.join()
    (many,) = spent
    return Crowd(interval, many.commands / many.seconds, many.cpu_seconds / many.seconds, health)
