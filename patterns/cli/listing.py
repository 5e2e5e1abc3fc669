"""`kit patterns`: lists the five patterns, and the faults that lose tasks."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from patterns import PATTERNS
from patterns.cli.console import out
from patterns.contract.descriptor import Fault, Pattern

_LOSING_FAULTS = sorted({fault for pattern in PATTERNS.values() for fault in pattern.loses_on})
_FAULTS_HELP = "\n".join(
    [
        *(f"{fault:<12} {fault.meaning}" for fault in _LOSING_FAULTS),
        f"`kit bench --faults` injects these and {len(Fault) - len(_LOSING_FAULTS)} more faults.",
    ]
)
_HEADINGS = (
    *("pattern", "where the work runs", "how the client learns the outcome", "it teaches"),
    *("cancel interrupts", "loses tasks on"),
)


def patterns(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array instead of a table.")] = False,
) -> None:
    """List the five patterns: where the work runs, how the client learns the outcome, which faults lose tasks."""
    if as_json:
        typer.echo(json.dumps([_as_json(pattern) for pattern in PATTERNS.values()], indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 1, 0))
    for heading in _HEADINGS:
        table.add_column(heading, no_wrap=heading == "pattern", overflow="fold")
    for pattern in PATTERNS.values():
        teaches = "where" if pattern.teaches.value.startswith("where") else "how"
        losses = ", ".join(sorted(pattern.loses_on))
        table.add_row(
            f"[bold]{pattern.name}[/]", pattern.runs_in, pattern.learns_by, teaches, pattern.interrupts, losses
        )
    out.print(table)
    out.print(_FAULTS_HELP, style="dim")
    out.print("\nServe one: kit serve NAME    Compare them: kit bench --quick", style="dim")


def _as_json(pattern: Pattern) -> dict[str, object]:
    plain = asdict(pattern)
    plain["loses_on"], plain["needs"] = sorted(pattern.loses_on), sorted(pattern.needs)
    plain["processes"] = [process.name for process in pattern.processes]
    return plain
