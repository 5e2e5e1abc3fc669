"""`kit bench`: run the patterns under the same load and compare them.

Slow modules are imported inside the commands, after the first line of progress.
"""

# ruff: noqa: PLC0415 as above

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from benchmarks.plan.contenders import Contender, UnknownPattern, as_contender, matrix_contenders, select_patterns
from benchmarks.plan.presets import PlanError, make_plan
from benchmarks.plan.registry import ContenderError, find_contenders
from benchmarks.plan.run_request import RunRequest
from benchmarks.plan.workload import AgentActivity, Length
from benchmarks.records.run import Mode, RunError, RunFolder
from benchmarks.records.samples import SamplesError
from benchmarks.report.progress import Steps, watching
from patterns import PATTERNS
from patterns.cli.terminal import give_up
from patterns.serving.interrupts import raise_on_interrupts

if TYPE_CHECKING:
    from benchmarks.pipeline import RunResult


class _Bench(TyperGroup):
    """Adds `growth` and imports it only when it runs."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), "growth"]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name != "growth":
            return super().get_command(ctx, cmd_name)
        from benchmarks.scale.growth.command import growth

        growth_app = typer.Typer(add_completion=False)
        growth_app.command("growth")(growth)
        return typer.main.get_command(growth_app)


app = typer.Typer(add_completion=False)
bench_app = typer.Typer(cls=_Bench, invoke_without_command=True, no_args_is_help=False)
app.add_typer(bench_app, name="bench")


@bench_app.callback()
def bench(
    ctx: typer.Context,
    quick: Annotated[bool, typer.Option("--quick", help="One round at one rate, within a minute.")] = False,
    patterns: Annotated[str, typer.Option(help="Patterns to run, comma-separated.")] = ",".join(PATTERNS),
    contender: Annotated[
        list[str] | None,
        typer.Option(help="External contender: a file with a PATTERN, or an installed name. Repeatable."),
    ] = None,
    mode: Annotated[list[Mode] | None, typer.Option(help="Mode to run. Repeatable. Default: all except soak.")] = None,
    matrix: Annotated[
        bool, typer.Option("--matrix", help="Add the combinations of the two questions that the five leave out.")
    ] = False,
    faults: Annotated[
        bool,
        typer.Option("--faults", help="Inject faults and count lost tasks. Add --mode or --quick to run the load too."),
    ] = False,
    rate: Annotated[
        float | None, typer.Option(min=0.1, max=500, help="Tasks per second. Default: half of the workers' capacity.")
    ] = None,
    duration: Annotated[
        float | None, typer.Option(min=0.5, max=3600, help="Measured seconds per trial at the steady rate.")
    ] = None,
    rounds: Annotated[int | None, typer.Option(min=1, max=100, help="Rounds at the steady rate.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Tasks that run at once (KIT_WORKERS).")] = None,
    work: Annotated[Length | None, typer.Option(help="Duration of a task.")] = None,
    agent: Annotated[AgentActivity | None, typer.Option(help="Whether the agent awaits, blocks or computes.")] = None,
    locust_workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that generate the load.")] = 1,
    url: Annotated[str | None, typer.Option(help="Measure a running server instead, with its own settings.")] = None,
    arrivals: Annotated[str, typer.Option(help="poisson or constant.")] = "poisson",
    bound: Annotated[float | None, typer.Option(min=0.001, help="Limit for the p99 in the sweep, in seconds.")] = None,
    out: Annotated[Path | None, typer.Option(help="Output folder. Default: runs/ and the time in UTC.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print only JSON on standard output.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Print the full report instead of the summary.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the arrivals and of the agent's work.")] = 0,
) -> None:
    """Run the patterns under the same load and compare them. Takes a quarter of an hour, with --quick a minute."""
    if ctx.invoked_subcommand is not None:
        return
    raise_on_interrupts()
    with (
        _errors_in_one_line("Interrupted. Nothing was measured yet."),
        watching(Console(stderr=True, highlight=False)) as steps,
    ):
        if arrivals not in {"poisson", "constant"}:
            raise _BadOption(f"--arrivals {arrivals}: poisson or constant.")
        if url:
            contenders = [_external_server(url, steps)]
        else:
            contenders = [*select_patterns(patterns), *(matrix_contenders() if matrix else [])]
        plan = make_plan(
            quick=quick, modes=mode or [], rate=rate, duration=duration, rounds=rounds, workers=workers, length=work,
            activity=agent, bound=bound, arrivals=arrivals, seed=seed,
        )  # fmt: skip
        contenders += [as_contender(pattern, "contender") for pattern in find_contenders(contender or [])]
        measure = not faults or quick or bool(mode)
        folder = _folder(out)
        result = _run(RunRequest(contenders, plan, folder, locust_workers, measure, faults), steps)
    if result.findings:
        from benchmarks.report.publish import print_findings

        print_findings(result.findings, folder, as_json=as_json, full=full)
    if result.problem:
        raise give_up(result.problem, result.exit_code)


@bench_app.command()
def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")],
    full: Annotated[bool, typer.Option("--full", help="Print the full report instead of the summary.")] = False,
) -> None:
    """Create the report of a run again, from its samples."""
    raise_on_interrupts()
    with _errors_in_one_line():
        with watching(Console(stderr=True, highlight=False), short=True) as steps:
            steps.at(0, f"Creating the report of {run}")
            from benchmarks.report.publish import print_findings, publish_growth, write_report

            findings = write_report(RunFolder(run))
        if findings:
            print_findings(findings, RunFolder(run), full=full)
        else:
            publish_growth(RunFolder(run))


@bench_app.command()
def compare(
    before: Annotated[Path, typer.Argument(metavar="A", help="The folder of a run.")],
    after: Annotated[Path, typer.Argument(metavar="B", help="The folder of a later one.")],
    bound: Annotated[float, typer.Option(min=0, help="Regression in percent above which the exit code is 1.")] = 10.0,
) -> None:
    """Compare two runs. Exits with 1 on a regression, and with 2 if the runs cannot be compared."""
    raise_on_interrupts()
    with _errors_in_one_line():
        with watching(Console(stderr=True, highlight=False), short=True) as steps:
            steps.at(0, f"Comparing {before} with {after}")
            from benchmarks.analysis.compare_runs import compare_runs
            from benchmarks.report.publish import print_comparison

            comparison = compare_runs(RunFolder(before), RunFolder(after), bound / 100)
        if not comparison.changes:
            raise _BadOption("The two runs have no valid trial of the same contender at a steady rate.")
        worse = print_comparison(comparison, bound / 100)
    if comparison.machine_changed:
        raise give_up(comparison.machine_changed)
    if worse:
        raise give_up(f"{worse} got worse by more than {bound:g} %.", 1)


class _BadOption(Exception):
    """An option that cannot be used. The message is one line."""


def _folder(out: Path | None) -> RunFolder:
    folder = RunFolder(out or Path("runs") / f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%SZ}")
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _BadOption(f"--out {folder.path}: {error.strerror}.") from None
    if folder.samples.exists() or folder.packed_samples.exists():
        raise _BadOption(f"--out {folder.path} contains the samples of another run. Choose another folder.")
    return folder


def _external_server(url: str, steps: Steps) -> Contender:
    steps.at(0, f"Asking {url} which pattern it serves")
    from benchmarks.plan.external_server import contender_at

    return contender_at(url.rstrip("/"))


def _run(request: RunRequest, steps: Steps) -> "RunResult":
    steps.plan(request.seconds())
    steps.at(0, "Starting")
    from benchmarks.pipeline import run

    return run(request, steps)


@contextmanager
def _errors_in_one_line(interrupted: str = "Interrupted.") -> Iterator[None]:
    """End the command with a one-line message on an expected error."""
    try:
        yield
    except BrokenPipeError:
        raise  # the reader of the output has closed it, as `head` does: exit silently
    except (UnknownPattern, PlanError, ContenderError, _BadOption, RunError, SamplesError, OSError) as error:
        raise give_up(error) from None
    except KeyboardInterrupt:
        raise give_up(interrupted, 130) from None
