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
from patterns.serving.processes import ProcessFailed
from patterns.serving.running import CannotServe


def worker_load(
    tasks: Annotated[int, typer.Option(min=100, max=1_000_000, help="Tasks that wait and are done.")] = 10_000,
    processes: Annotated[int, typer.Option(min=1, max=64, help="Processes of the real worker.")] = 2,
    workers: Annotated[int, typer.Option(min=1, max=5_000, help="Simulated idle workers.")] = 1_000,
    idle_seconds: Annotated[float, typer.Option(min=1, max=600, help="How long the workers idle.")] = 20.0,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: nothing but JSON on standard output.")] = False,
) -> None:
    """What a task and a worker cost the Redis that a thousand of them would share."""
    told = Console(stderr=True, highlight=False)
    try:
        with tempfile.TemporaryDirectory(prefix="kit-") as folder:
            found = measure(tasks, processes, workers, idle_seconds, Path(folder), told)
    except (HammerFailed, ProcessFailed, CannotServe, redis.RedisError, OSError) as error:
        raise give_up(error) from None
    except KeyboardInterrupt:
        raise give_up("Interrupted; nothing to report.", 130) from None
    if as_json:
        typer.echo(json.dumps({**asdict(found), "machine": machine()}, indent=2))
    else:
        out, here = Console(highlight=False), machine()
        out.print(table(found))
        out.print(f"\n{here['cores']} cores, {here['processor']}; {here['python']}, {here['kernel']}", style="dim")


def table(found: WorkerLoad) -> Table:
    """One figure in each row."""
    shown = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    shown.add_column("")
    shown.add_column("found", justify="right", no_wrap=True)
    idle = ", ".join(f"{name} {rate:g}" for name, rate in sorted(found.idle_commands.items()))
    rows = {
        "memory of a waiting task": f"{found.bytes_per_waiting_task:,.0f} B",
        "memory of a finished task": f"{found.bytes_per_finished_task:,.0f} B",
        "commands of a task of ten steps, those in scripts included": f"{found.commands_per_task:.1f}",
        "Redis's processor time for it": f"{found.redis_cpu_microseconds_per_task:.0f} µs",
        "a web process's processor time for its submit": f"{found.web_cpu_microseconds_per_submit:.0f} µs",
        f"connections of a worker of {found.processes} processes": f"{found.connections_per_worker}",
        "commands of an idle worker": f"{found.idle_commands_per_second:.1f}/s",
        f"  {idle}": "",
        "health with this worker, p50 and p99": "{} and {} ms".format(*found.health_milliseconds),
    }
    for crowd in found.crowds:
        these = f"{found.simulated_workers:,} idle ones that look each {crowd.look_seconds:g} s"
        rows[f"commands of {these}"] = f"{crowd.commands_per_second:,.0f}/s"
        rows[f"Redis's share of a core with {these}"] = f"{100 * crowd.redis_cpu_share:.0f} %"
        rows[f"health with {these}"] = "{} and {} ms".format(*crowd.health_milliseconds)
    for what, figure in rows.items():
        shown.add_row(what, figure)
    return shown


if __name__ == "__main__":
    typer.run(worker_load)
