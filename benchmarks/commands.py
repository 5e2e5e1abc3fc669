"""`kit bench`: run the patterns under the same load, and see which to pick."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks.callbacks import count_callbacks
from benchmarks.comparison import Comparison, Files
from benchmarks.figures import Figures, figures
from benchmarks.machine import library_versions, machine
from benchmarks.plan import Plan, PlanError, plan
from benchmarks.progress import watching
from benchmarks.report import groups, print_report, warnings
from benchmarks.samples import SamplesError, read_samples
from patterns import PATTERNS
from patterns.descriptor import Pattern
from patterns.processes import ProcessFailed
from patterns.serving import CannotServe
from patterns.settings import SettingsError
from patterns.terminal import give_up, interrupts_end_it

#: A table that is written to a file need not fit a terminal.
_FILE_WIDTH = 100


app = typer.Typer(add_completion=False)


@app.command()
def bench(
    quick: Annotated[bool, typer.Option("--quick", help="All five within a minute.")] = False,
    patterns: Annotated[str, typer.Option(help="Only these, with commas between.")] = ",".join(PATTERNS),
    rate: Annotated[
        float | None, typer.Option(min=0.1, max=500, help="Tasks per second. Otherwise: workers are half busy.")
    ] = None,
    duration: Annotated[
        float | None, typer.Option(min=0.5, max=600, help="Seconds that are measured, in each round.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Tasks at once: KIT_WORKERS.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write. Otherwise: runs/ and the time, in UTC.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: nothing but JSON on standard output.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="The same seed: the same moments, the same work.")] = 0,
) -> None:
    """Run the patterns under the same load, and compare them. About four minutes; a minute with --quick."""
    try:
        chosen = _chosen(patterns)
        wanted = plan(quick=quick, rate=rate, duration=duration, workers=workers, seed=seed)
        files = _files(out)
    except (_BadChoice, PlanError) as error:
        raise give_up(error, 2) from None
    try:
        run = _run(chosen, wanted, files)
        found = _found(chosen, files)
        if found:
            _tell(found, wanted, files, run, as_json)
    except BrokenPipeError:
        raise  # whoever reads the output has gone, as `head` does: an end without a word
    except (ProcessFailed, CannotServe, SettingsError, SamplesError, OSError) as error:
        raise give_up(error) from None
    if run.interrupted:
        kept = f"What was measured so far is in {files.folder}" if found else "Nothing was measured yet."
        raise give_up(f"Interrupted. {kept}", 130)


class _BadChoice(Exception):
    """An option cannot be used. The message is one line."""


def _chosen(names: str) -> list[Pattern]:
    wanted = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    unknown = [name for name in wanted if name not in PATTERNS]
    if unknown or not wanted:
        what = f"There is no pattern {', '.join(map(repr, unknown))}" if unknown else "--patterns names none"
        raise _BadChoice(f"{what}. There are: {', '.join(PATTERNS)}.")
    # In teaching order, whatever the order on the command line.
    return [pattern for name, pattern in PATTERNS.items() if name in wanted]


def _files(out: Path | None) -> Files:
    files = Files(out or Path("runs") / f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%SZ}")
    try:
        files.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _BadChoice(f"--out {files.folder}: {error.strerror}.") from None
    if files.samples.exists():
        raise _BadChoice(f"--out {files.folder} has the samples of another run. Name another folder.")
    return files


@dataclass(frozen=True)
class _Run:
    """How it went."""

    interrupted: bool
    redis: str | None


def _run(chosen: list[Pattern], wanted: Plan, files: Files) -> _Run:
    interrupted = False
    interrupts_end_it()
    with watching(Console(stderr=True, highlight=False), wanted.rounds * len(chosen), wanted) as watch:
        comparison = Comparison(chosen, wanted, files, watch)
        try:
            comparison.run()
        except KeyboardInterrupt:
            interrupted = True
    return _Run(interrupted, comparison.redis)


def _found(chosen: list[Pattern], files: Files) -> list[Figures]:
    rows, callbacks = read_samples(files.samples), count_callbacks(files.callbacks)
    found = [figures(pattern.name, rows, callbacks.get(pattern.name)) for pattern in chosen]
    return [one for one in found if one.tally.offered]


def _tell(found: list[Figures], wanted: Plan, files: Files, run: _Run, as_json: bool) -> None:
    summary = json.dumps(_summary(found, wanted, files, run), indent=2)
    files.summary.write_text(summary + "\n", encoding="utf-8")
    if as_json:
        typer.echo(summary)
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_FILE_WIDTH)
    print_report(console, found, wanted, files, _where(run.redis), interrupted=run.interrupted)


def _summary(found: list[Figures], wanted: Plan, files: Files, run: _Run) -> dict[str, Any]:
    return {
        "questions": {question.value: [one.pattern for one in members] for question, members in groups(found)},
        "patterns": {one.pattern: asdict(one) for one in found},
        "unit": "seconds",
        "warnings": warnings(found, run.interrupted),
        "complete": not run.interrupted,
        "plan": asdict(wanted),
        "machine": machine(),
        "versions": {**library_versions(), **({"redis": run.redis} if run.redis else {})},
        "samples": str(files.samples),
    }


def _where(redis: str | None) -> list[str]:
    here = machine()
    libraries = [f"{name} {number}" for name, number in library_versions().items()]
    return [
        f"{here['cores']} cores, {here['processor']}",
        f"{here['python']}, {here['kernel']}",
        ", ".join([*libraries, *([redis] if redis else [])]),
    ]
