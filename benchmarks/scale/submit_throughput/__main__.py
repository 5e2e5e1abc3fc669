"""The command `python -m benchmarks.scale.submit_throughput`."""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from benchmarks.load.environment import machine
from benchmarks.scale.hammer import HammerFailed
from benchmarks.scale.submit_throughput.measurement import Rounds, ratios, reached, run_trial, warnings
from benchmarks.scale.submit_throughput.table import table
from benchmarks.scale.submit_throughput.targets import TARGETS
from patterns.cli.terminal import give_up
from patterns.contract.settings import SettingsError
from patterns.serving.errors import CannotServe
from patterns.serving.processes import ProcessFailed


def submit_throughput(
    rounds: Annotated[int, typer.Option(min=1, max=50, help="How often each target runs.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.5, max=60, help="How long each trial is measured.")] = 3.0,
    connections: Annotated[int, typer.Option(min=1, max=256, help="Kept open; one request at a time on each.")] = 16,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: nothing but JSON on standard output.")] = False,
) -> None:
    """Submit throughput of one web process, against a server that does nothing and a plain `.delay()`.

    Exits 1 when a ratio is below what is wanted, 2 when it cannot tell.
    """
    progress = Console(stderr=True, highlight=False)
    done: Rounds = []
    try:
        with tempfile.TemporaryDirectory(prefix="kit-") as folder:
            for number in range(1, rounds + 1):
                trials = {}
                for target in TARGETS:
                    progress.print(f"round {number}/{rounds}: {target.name}", style="dim")
                    log = Path(folder, f"{target.name}.log")
                    trials[target.name] = run_trial(target, seconds=seconds, connections=connections, log=log)
                done.append(trials)
    except (HammerFailed, ProcessFailed, CannotServe, SettingsError) as error:
        raise give_up(error) from None
    except KeyboardInterrupt:
        raise give_up("Interrupted; a round that is not whole is not reported.", 130) from None
    if as_json:
        typer.echo(json.dumps(_summary(done), indent=2))
    else:
        out = Console(highlight=False)
        out = out if out.is_terminal else Console(highlight=False, width=120)
        out.print(table(done))
        here = machine()
        out.print(f"\n{connections} connections; rounds: {rounds}, of {seconds:g} s; tasks that do not end.")
        out.print("By core time: the ratio of submits per second of the web process's processor time, which another")
        out.print("program that wants the processor hardly changes. Where the two ratios differ, trust neither much.")
        out.print(f"{here['cores']} cores, {here['processor']}; {here['python']}, {here['kernel']}", style="dim")
        for line in warnings(done):
            out.print(escape(line), style="yellow")
    if not all(reached(done, target) for target in TARGETS):
        raise typer.Exit(1)


def _summary(rounds: Rounds) -> dict[str, Any]:
    return {
        "rounds": [{name: asdict(trial) for name, trial in trials.items()} for trials in rounds],
        "ratios": {
            target.name: {
                **asdict(target.bound),
                "median": median(all_ratios := ratios(rounds, target)),
                "all": all_ratios,
            }
            for target in TARGETS
            if target.bound is not None
        },
        "warnings": warnings(rounds),
        "machine": machine(),
    }


if __name__ == "__main__":
    typer.run(submit_throughput)
