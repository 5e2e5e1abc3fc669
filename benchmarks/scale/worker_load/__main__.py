"""The command `python -m benchmarks.scale.worker_load`."""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import redis
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.load.environment import machine
from benchmarks.scale.hammer import HammerFailed
from benchmarks.scale.worker_load.measurement import WorkerLoad, measure
from patterns.cli.terminal import give_up
from patterns.serving.errors import CannotServe
from patterns.serving.processes import ProcessFailed


def worker_load(
    tasks: Annotated[int, typer.Option(min=100, max=1_000_000, help="Tasks to queue and run.")] = 10_000,
    processes: Annotated[int, typer.Option(min=1, max=64, help="Processes of the real worker.")] = 2,
    workers: Annotated[int, typer.Option(min=1, max=5_000, help="Simulated idle workers.")] = 1_000,
    idle_seconds: Annotated[float, typer.Option(min=1, max=600, help="Seconds of idling.")] = 20.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print only JSON on standard output.")] = False,
) -> None:
    """Measure the load of tasks and workers on a Redis that a thousand workers would share."""
    progress = Console(stderr=True, highlight=False)
    try:
        with tempfile.TemporaryDirectory(prefix="kit-") as folder:
            load = measure(
                tasks, processes, workers, idle_seconds, Path(folder), lambda line: progress.print(line, style="dim")
            )
    except (HammerFailed, ProcessFailed, CannotServe, redis.RedisError, OSError) as error:
        raise give_up(error) from None
    except KeyboardInterrupt:
        raise give_up("Interrupted; nothing to report.", 130) from None
    if as_json:
        typer.echo(json.dumps({**asdict(load), "machine": machine()}, indent=2))
    else:
        out, host = Console(highlight=False), machine()
        out.print(table(load))
        out.print(f"\n{host['cores']} cores, {host['processor']}; {host['python']}, {host['kernel']}", style="dim")


def table(load: WorkerLoad) -> Table:
    """A row for each metric."""
    shown = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    shown.add_column("")
    shown.add_column("measured", justify="right", no_wrap=True)
    idle = ", ".join(f"{name} {rate:g}" for name, rate in sorted(load.idle_commands.items()))
    rows = {
        "memory of a waiting task": f"{load.bytes_per_waiting_task:,.0f} B",
        "memory of a finished task": f"{load.bytes_per_finished_task:,.0f} B",
        "commands per task of ten steps, including scripts": f"{load.commands_per_task:.1f}",
        "CPU time of Redis per task": f"{load.redis_cpu_microseconds_per_task:.0f} µs",
        "CPU time of the web process per submit": f"{load.web_cpu_microseconds_per_submit:.0f} µs",
        f"connections of a worker of {load.processes} processes": f"{load.connections_per_worker}",
        "commands of an idle worker": f"{load.idle_commands_per_second:.1f}/s",
        f"  {idle}": "",
        "latency of /health, p50 and p99": "{} and {} ms".format(*load.health_milliseconds),
    }
    for crowd in load.crowds:
        workers = f"{load.simulated_workers:,} idle workers that sweep every {crowd.sweep_seconds:g} s"
        rows[f"commands of {workers}"] = f"{crowd.commands_per_second:,.0f}/s"
        rows[f"CPU usage of Redis with {workers}"] = f"{100 * crowd.redis_cpu_share:.0f} %"
        rows[f"latency of /health with {workers}"] = "{} and {} ms".format(*crowd.health_milliseconds)
    for metric, value in rows.items():
        shown.add_row(metric, value)
    return shown


if __name__ == "__main__":
    typer.run(worker_load)
