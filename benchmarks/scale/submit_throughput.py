"""How many submits one web process takes in, beside a server that does nothing.

Each round runs every contender once, on fresh processes, one after the other (A B C, A B C), so that a slow
minute of the machine does not fall on one alone. A ratio is taken within a round; the median of the rounds counts.
"""

import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import psutil
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.load.machine import machine
from benchmarks.scale.hammer import HammerFailed, run_hammer
from benchmarks.scale.hammered import CONTENDERS, Contender
from benchmarks.scale.web_only import web_server
from patterns.cli.terminal import give_up
from patterns.contract.settings import SettingsError, new_webhook_secret
from patterns.serving.errors import CannotServe
from patterns.serving.processes import ProcessFailed

#: A hammer busier than this may be what is measured.
MOST_HAMMER_SHARE = 0.7
_WARM_UP_SECONDS = 1.0


@dataclass(frozen=True)
class Trial:
    """One contender in one round."""

    per_second: float
    not_accepted: int
    server_share: float  # of one core
    hammer_share: float

    @property
    def per_core_second(self) -> float:
        """Submits for each second of processor time: what another program takes away hardly changes it."""
        return self.per_second / self.server_share


Rounds = list[dict[str, Trial]]


def run_trial(
    contender: Contender, *, seconds: float, connections: int, log: Path, warm_up: float = _WARM_UP_SECONDS
) -> Trial:
    """Fresh processes, some warm-up, then `seconds` that count. Raises `ProcessFailed`, `CannotServe`."""
    env = {
        "KIT_AGENT": "simulated",
        "KIT_AGENT_BEHAVIOUR": "work",
        "KIT_AGENT_STEPS": "1",
        "KIT_AGENT_STEP_SECONDS": "600",  # no task ends while it is measured
        "KIT_TASK_TIMEOUT_SECONDS": "3600",
        "KIT_QUEUE_SIZE": "10000000",  # and none is refused
        "KIT_GRACE_SECONDS": "0",
        "KIT_BROKER_URL": "",
        "KIT_WEBHOOK_SECRET": new_webhook_secret(),
        "KIT_WEBHOOK_ALLOW_PRIVATE": "1",
    }
    with web_server(contender.arguments, env=env, needs_redis=contender.needs_redis, log=log) as server:
        run_hammer(server.port, contender.body, connections, seconds=warm_up)
        process = psutil.Process(server.child.pid)
        before = process.cpu_times()
        found = run_hammer(server.port, contender.body, connections, seconds=seconds)
        after = process.cpu_times()
    used = (after.user - before.user) + (after.system - before.system)
    return Trial(found.accepted_per_second, found.others, used / found.seconds, found.cpu_share)


def ratios(rounds: Rounds, contender: Contender, measure: str = "per_second") -> list[float]:
    """The contender's throughput over that of what it is held against, in each round."""
    if contender.bound is None:
        return []
    against = contender.bound.against
    return [getattr(one[contender.name], measure) / getattr(one[against], measure) for one in rounds]


def reached(rounds: Rounds, contender: Contender) -> bool:
    """Whether the median of its ratios is what is wanted; always, when nothing is."""
    return contender.bound is None or median(ratios(rounds, contender)) >= contender.bound.at_least


def table(rounds: Rounds) -> Table:
    """A line for each contender: medians of the rounds, and the lowest and the highest."""
    shown = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    shown.add_column("\ncontender", no_wrap=True)
    headings = ("submits/s\nmedian", "\nmin-max", "ratio\nmedian", "\nmin-max", "by core\ntime", "\nwanted")
    for heading in (*headings, "server\ncore", "hammer\ncore", "not\n202"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for contender in CONTENDERS:
        trials = [one[contender.name] for one in rounds]
        speeds = [trial.per_second for trial in trials]
        cells = [f"{median(speeds):.0f}", f"{min(speeds):.0f}-{max(speeds):.0f}"]
        if contender.bound is None:
            cells += [""] * 4
        else:
            found = ratios(rounds, contender)
            style = "green" if reached(rounds, contender) else "red"
            cells += [f"[{style}]{median(found):.2f}[/]", f"{min(found):.2f}-{max(found):.2f}"]
            cells += [f"{median(ratios(rounds, contender, 'per_core_second')):.2f}"]
            cells += [f">= {contender.bound.at_least:g} of {contender.bound.against}"]
        cells += [f"{median(trial.server_share for trial in trials):.0%}"]
        cells += [f"{median(trial.hammer_share for trial in trials):.0%}"]
        shown.add_row(contender.name, *cells, str(sum(trial.not_accepted for trial in trials)))
    return shown


def warnings(rounds: Rounds) -> list[str]:
    """What makes the figures worth less than they look."""
    said = []
    for contender in CONTENDERS:
        if any(one[contender.name].not_accepted for one in rounds):
            said.append(f"{contender.name} did not accept every submit: its figure is of those that it did.")
        busy = median(one[contender.name].hammer_share for one in rounds)
        if busy > MOST_HAMMER_SHARE:
            said.append(f"{contender.name}: the hammer itself used {busy:.0%} of a core, and may be the limit.")
    return said


def submit_throughput(
    rounds: Annotated[int, typer.Option(min=1, max=50, help="How often each contender runs.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.5, max=60, help="How long each trial is measured.")] = 3.0,
    connections: Annotated[int, typer.Option(min=1, max=256, help="Kept open; one request at a time on each.")] = 16,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: nothing but JSON on standard output.")] = False,
) -> None:
    """Submit throughput of one web process, against a server that does nothing and a plain `.delay()`.

    Exits 1 when a ratio is below what is wanted, 2 when it cannot tell.
    """
    told = Console(stderr=True, highlight=False)
    done: Rounds = []
    try:
        with tempfile.TemporaryDirectory(prefix="kit-") as folder:
            for number in range(1, rounds + 1):
                one = {}
                for contender in CONTENDERS:
                    told.print(f"round {number}/{rounds}: {contender.name}", style="dim")
                    log = Path(folder, f"{contender.name}.log")
                    one[contender.name] = run_trial(contender, seconds=seconds, connections=connections, log=log)
                done.append(one)
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
    if not all(reached(done, contender) for contender in CONTENDERS):
        raise typer.Exit(1)


def _summary(rounds: Rounds) -> dict[str, Any]:
    return {
        "rounds": [{name: asdict(trial) for name, trial in one.items()} for one in rounds],
        "ratios": {
            contender.name: {
                **asdict(contender.bound),
                "median": median(found := ratios(rounds, contender)),
                "all": found,
            }
            for contender in CONTENDERS
            if contender.bound is not None
        },
        "warnings": warnings(rounds),
        "machine": machine(),
    }


if __name__ == "__main__":
    typer.run(submit_throughput)
