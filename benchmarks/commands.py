"""`kit bench`: run the patterns under the same load, and see which to pick."""

import shlex
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.analysis.compare import compare as compare_runs
from benchmarks.comparison import Comparison, Entrant
from benchmarks.conformance import NotConforming, admit
from benchmarks.entrants import NoSuchPattern, chosen, combinations, contenders, entrant, libraries_of, null, served_at
from benchmarks.faults.cells import Faults
from benchmarks.faults.record import Cell, read_cells
from benchmarks.faults.run import break_all, has_rabbitmq, subjects
from benchmarks.finding import ContenderError, find_contenders
from benchmarks.growth.command import growth
from benchmarks.machine import kit_revision, kit_version, library_versions, machine
from benchmarks.plan import Plan, PlanError, plan
from benchmarks.progress import watching
from benchmarks.run_record import Mode, RunError, RunFolder, RunRecord
from benchmarks.samples import SamplesError, pack
from benchmarks.telling import tell, tell_changes
from benchmarks.workload import Doing, Length
from patterns import CELERY_QUEUE, PATTERNS
from patterns.interrupts import interrupts_end_it
from patterns.processes import ProcessFailed
from patterns.serving import CannotServe
from patterns.settings import SettingsError
from patterns.terminal import give_up

app = typer.Typer(add_completion=False)
bench_app = typer.Typer(invoke_without_command=True, no_args_is_help=False)
app.add_typer(bench_app, name="bench")
bench_app.command("growth")(growth)

_CANNOT = (ProcessFailed, CannotServe, SettingsError, SamplesError, RunError, OSError)


@bench_app.callback()
def bench(
    ctx: typer.Context,
    quick: Annotated[bool, typer.Option("--quick", help="All five at one rate, within a minute.")] = False,
    patterns: Annotated[str, typer.Option(help="Only these, with commas between.")] = ",".join(PATTERNS),
    contender: Annotated[
        list[str] | None,
        typer.Option(help="One from outside: a file with its PATTERN, or an installed one's name; may be repeated."),
    ] = None,
    mode: Annotated[
        list[Mode] | None, typer.Option(help="What to look at; may be repeated. Otherwise: all but soak.")
    ] = None,
    matrix: Annotated[bool, typer.Option("--matrix", help="Also where by how: what the five leave out.")] = False,
    faults: Annotated[
        bool, typer.Option("--faults", help="Break things, and count what is lost. With --mode or --quick: that too.")
    ] = False,
    rate: Annotated[
        float | None, typer.Option(min=0.1, max=500, help="Tasks per second. Otherwise: workers are half busy.")
    ] = None,
    duration: Annotated[
        float | None, typer.Option(min=0.5, max=3600, help="Seconds that are measured, in each round.")
    ] = None,
    rounds: Annotated[int | None, typer.Option(min=1, max=100, help="Rounds at the steady rate.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Tasks at once: KIT_WORKERS.")] = None,
    work: Annotated[Length | None, typer.Option(help="How long the agent works on a task.")] = None,
    agent: Annotated[Doing | None, typer.Option(help="What the agent does with its time.")] = None,
    locust_workers: Annotated[
        int, typer.Option(min=1, max=64, help="Processes that the load is spread over: Locust's own workers.")
    ] = 1,
    url: Annotated[
        str | None, typer.Option(help="Measure a server that runs already, wherever, as it is set up there.")
    ] = None,
    arrivals: Annotated[str, typer.Option(help="poisson or constant.")] = "poisson",
    bound: Annotated[float | None, typer.Option(min=0.001, help="Seconds: the p99 that the sweep looks for.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write. Otherwise: runs/ and the time, in UTC.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: nothing but JSON on standard output.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="The same seed: the same moments, the same work.")] = 0,
) -> None:
    """Run the patterns under the same load, and compare them. A quarter of an hour; a minute with --quick."""
    if ctx.invoked_subcommand is not None:
        return
    try:
        entrants = [served_at(url.rstrip("/"))] if url else [*chosen(patterns), *(combinations() if matrix else [])]
        wanted = plan(
            quick=quick, modes=mode or [], rate=rate, duration=duration, rounds=rounds, workers=workers, length=work,
            doing=agent, bound=bound, arrivals=_shape(arrivals), seed=seed,
        )  # fmt: skip
        from_outside = find_contenders(contender or [])
        folder = _folder(out)
    except (NoSuchPattern, PlanError, ContenderError, _BadChoice) as error:
        raise give_up(error) from None
    interrupts_end_it()
    try:
        admit(from_outside, folder.path, lambda line: typer.echo(line, err=True))
        entrants += [entrant(pattern, "contender") for pattern in from_outside]
        cells = _break(entrants, folder) if faults else []
        run = _run(entrants, wanted, folder, locust_workers, measure=not faults or quick or bool(mode))
        if run.record.trials or cells:
            tell(folder, as_json=as_json)
    except BrokenPipeError:
        raise  # whoever reads the output has gone, as `head` does: an end without a word
    except NotConforming as error:
        raise give_up(error, 1) from None
    except _CANNOT as error:
        raise give_up(error) from None
    except KeyboardInterrupt:
        counted = f"The faults counted so far are in {folder.path}." if read_cells(folder.path) else ""
        raise give_up(f"Interrupted. {counted or 'Nothing was measured yet.'}", 130) from None
    if run.error:
        raise give_up(run.error)
    if wrong := [f"{cell.contender} on {cell.fault}" for cell in cells if cell.contradicts]:
        raise give_up(f"More was lost than a descriptor says, or nothing was measured: {', '.join(wrong)}.", 1)
    if run.interrupted:
        kept = f"What was measured so far is in {folder.path}" if run.record.trials else "Nothing was measured yet."
        raise give_up(f"Interrupted. {kept}", 130)


@bench_app.command()
def report(run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")]) -> None:
    """Make every table and plot of a run again, from its samples."""
    try:
        tell(RunFolder(run))
    except _CANNOT as error:
        raise give_up(error) from None


@bench_app.command()
def compare(
    before: Annotated[Path, typer.Argument(metavar="A", help="The folder of a run.")],
    after: Annotated[Path, typer.Argument(metavar="B", help="The folder of a later one.")],
    bound: Annotated[
        float, typer.Option(min=0, help="Exit 1 when something got worse by more than so many percent.")
    ] = 10.0,
) -> None:
    """What got better, worse, or stayed, from one run to another. Exits 1 on a regression, 2 when it cannot tell."""
    try:
        found = compare_runs(RunFolder(before), RunFolder(after))
    except _CANNOT as error:
        raise give_up(error) from None
    if not found.changes:
        raise give_up("The two runs have no valid trial of the same contender at a steady rate.")
    if worse := tell_changes(found, bound / 100):
        raise give_up(f"{worse} got worse by more than {bound:g} %.", 1)


class _BadChoice(Exception):
    """An option cannot be used. The message is one line."""


def _shape(arrivals: str) -> str:
    if arrivals not in {"poisson", "constant"}:
        raise _BadChoice(f"--arrivals {arrivals}: poisson or constant.")
    return arrivals


def _folder(out: Path | None) -> RunFolder:
    folder = RunFolder(out or Path("runs") / f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%SZ}")
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _BadChoice(f"--out {folder.path}: {error.strerror}.") from None
    if folder.samples.exists() or folder.packed_samples.exists():
        raise _BadChoice(f"--out {folder.path} has the samples of another run. Name another folder.")
    return folder


@dataclass(frozen=True)
class _Run:
    """How it went."""

    record: RunRecord
    interrupted: bool
    error: Exception | None


def _break(entrants: list[Entrant], folder: RunFolder) -> list[Cell]:
    who = subjects([one.pattern for one in entrants if one.kind != "matrix"])
    console = Console(stderr=True, highlight=False)
    console.print("Breaking things, about 4 min:", style="bold")
    if CELERY_QUEUE.name in {one.name for one in entrants} and not has_rabbitmq():
        console.print("  No RabbitMQ is here: celery_queue over it is left out (Debian: apt install rabbitmq-server).")
    return break_all(who, Faults(), folder.path, lambda cell: console.print(_line(cell), soft_wrap=True))


def _line(cell: Cell) -> str:
    if cell.trouble:
        return f"  {cell.contender} {cell.fault}: {cell.trouble}"
    return f"  {cell.contender} {cell.fault}: {cell.completed} of {cell.accepted} completed"


def _run(entrants: list[Entrant], wanted: Plan, folder: RunFolder, load_processes: int, measure: bool) -> _Run:
    everybody = [*entrants, null()]
    visits = wanted.visits([one.name for one in entrants], null().name) if measure else []
    began = _now()
    interrupted, failure = False, None
    with watching(Console(stderr=True, highlight=False), [wanted.seconds(visit) for visit in visits]) as watch:
        comparison = Comparison(everybody, wanted, folder, watch, load_processes)
        try:
            comparison.run(visits)
        except KeyboardInterrupt:
            interrupted = True
        except _CANNOT as error:
            failure = error
    whole = not interrupted and failure is None
    record = RunRecord(
        kit=kit_version(),
        began=began,
        ended=_now(),
        complete=whole,
        seed=wanted.seed,
        command=shlex.join(["kit", *sys.argv[1:]]),
        settings=wanted.settings(),
        host=machine(),
        versions={**library_versions(_outside(entrants)), **({"broker": comparison.redis} if comparison.redis else {})},
        git=kit_revision(),
        contenders=contenders(everybody),
        trials=tuple(comparison.trials),
    )
    folder.write_record(record)
    if folder.samples.exists():
        pack(folder.samples)
    return _Run(record, interrupted, failure)


def _outside(entrants: list[Entrant]) -> set[str]:
    return {library for one in entrants if one.kind == "contender" for library in libraries_of(one.pattern)}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
