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
    rounds: Annotated[int, typer.Option(min=1, max=50, help="Rounds; each runs every target once.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.5, max=60, help="Measured seconds per trial.")] = 3.0,
    connections: Annotated[
        int, typer.Option(min=1, max=256, help="Keep-alive connections, with one request at a time on each.")
    ] = 16,
    as_json: Annotated[bool, typer.Option("--json", help="Print only JSON on standard output.")] = False,
) -> None:
    """Compare the submit throughput of one web process with a server that does nothing and a plain `.delay()`.

    Exits with 1 if a ratio is below its target, and with 2 if the measurement fails.
    """
    progress = Console(stderr=True, highlight=False)
    completed: Rounds = []
    try:
        with tempfile.TemporaryDirectory(prefix="kit-") as folder:
            for number in range(1, rounds + 1):
                trials = {}
                for target in TARGETS:
                    progress.print(f"round {number}/{rounds}: {target.name}", style="dim")
                    log = Path(folder, f"{target.name}.log")
                    trials[target.name] = run_trial(target, seconds=seconds, connections=connections, log=log)
                completed.append(trials)
    except (HammerFailed, ProcessFailed, CannotServe, SettingsError) as error:
        raise give_up(error) from None
    except KeyboardInterrupt:
        raise give_up("Interrupted; nothing is reported.", 130) from None
    if as_json:
        typer.echo(json.dumps(_summary(completed), indent=2))
    else:
        out = Console(highlight=False)
        out = out if out.is_terminal else Console(highlight=False, width=120)
        out.print(table(completed))
        host = machine()
        out.print(f"\n{connections} connections; rounds: {rounds}, {seconds:g} s each; no task ends during a trial.")
        out.print("By CPU time: the ratio of submits per CPU second of the web process, which other programs hardly")
        out.print("affect. If the two ratios differ, neither is reliable.")
        out.print(f"{host['cores']} cores, {host['processor']}; {host['python']}, {host['kernel']}", style="dim")
        for line in warnings(completed):
            out.print(escape(line), style="yellow")
    if not all(reached(completed, target) for target in TARGETS):
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
