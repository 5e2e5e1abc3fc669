"""`kit bench growth`: what more kept records, waiting tasks and open long-polls cost."""

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.load.environment import kit_revision, kit_version, library_versions, machine
from benchmarks.plan.contenders import UnknownPattern, select_patterns
from benchmarks.records.growth import Expiry, GrowthFolder, GrowthRecord, MemoryReading, Pair, SoakRecord
from benchmarks.records.run import RunError, RunFolder
from benchmarks.report.publish import publish_growth
from benchmarks.scale.growth.measurement import GrowthMeasurement
from benchmarks.scale.growth.sizes import FULL, QUICK, Sizes
from benchmarks.scale.growth.soak import soak
from benchmarks.scale.hammer import HammerFailed
from benchmarks.scale.http_connection import BadAnswer
from patterns import PATTERNS
from patterns.cli.terminal import give_up
from patterns.contract.settings import SettingsError
from patterns.serving.errors import CannotServe
from patterns.serving.interrupts import raise_on_interrupts
from patterns.serving.processes import Family, ProcessFailed
from patterns.serving.sockets import free_port

#: `polling` has the same server as `in_memory_queue` and differs only in its client.
_GROWING = tuple(name for name in PATTERNS if name != "polling")
_CANNOT = (HammerFailed, BadAnswer, ProcessFailed, CannotServe, SettingsError, RunError, OSError)


@dataclass
class _Run:
    """The measurements so far."""

    pairs: list[Pair] = field(default_factory=list)
    weights: list[MemoryReading] = field(default_factory=list)
    expiries: list[Expiry] = field(default_factory=list)
    soaks: list[SoakRecord] = field(default_factory=list)

    @property
    def has_results(self) -> bool:
        """Whether there is anything to report."""
        return bool(self.pairs or self.soaks)


def growth(
    quick: Annotated[
        bool, typer.Option("--quick", help="Up to 100,000 records, 1,000 waiting tasks and 200 long-polls.")
    ] = False,
    patterns: Annotated[
        str | None, typer.Option(help="Patterns to run, comma-separated. Default: all with different servers.")
    ] = None,
    run_soak: Annotated[
        bool, typer.Option("--soak", help="Run a soak instead: the memory that many tasks leave behind.")
    ] = False,
    tasks: Annotated[int, typer.Option(min=240, max=1_000_000, help="Tasks of a soak.")] = 24_000,
    out: Annotated[Path | None, typer.Option(help="Output folder. Default: runs/ and the time in UTC.")] = None,
) -> None:
    """Measure latency, memory and expiry as records, waiting tasks and long-polls grow. Takes ten minutes or more."""
    try:
        names = [pattern.name for pattern in select_patterns(patterns or ",".join(PATTERNS if run_soak else _GROWING))]
    except UnknownPattern as error:
        raise give_up(error) from None
    folder = GrowthFolder(out or Path("runs") / f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%SZ}-growth")
    if folder.record.exists():
        raise give_up(f"--out {folder.path} already contains growth results. Choose another folder.")
    run, began, sizes = _Run(), _now(), QUICK if quick else FULL
    raise_on_interrupts()
    stopped: BaseException | None = None
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
        with _receiving(folder.path / "receiver.log") as callback_url:
            for name in names:
                if run_soak:
                    run.soaks.append(soak(name, tasks, folder.path, callback_url, _say))
                else:
                    _measure(run, name, sizes, folder.path, callback_url)
    except (KeyboardInterrupt, *_CANNOT) as error:
        stopped = error
    if run.has_results:
        folder.write(_record(run, began, sizes, stopped is None), run.pairs)
        publish_growth(RunFolder(folder.path))
    if isinstance(stopped, KeyboardInterrupt):
        kept = f"The measurements so far are in {folder.path}" if run.has_results else "Nothing was measured yet."
        raise give_up(f"Interrupted. {kept}", 130)
    if stopped:
        raise give_up(stopped)


def _measure(run: _Run, name: str, sizes: Sizes, folder: Path, callback_url: str) -> None:
    """Measure one pattern; its results count only if it is complete."""
    growing = GrowthMeasurement(name, sizes, folder, callback_url, _say)
    growing.run()
    run.pairs += growing.pairs
    run.weights += growing.weights
    run.expiries += growing.expiries


@contextmanager
def _receiving(log: Path) -> Iterator[str]:
    """Run a receiver that accepts every callback, and yield its URL."""
    port = free_port()
    with Family(log) as family:
        family.start("receiver", [sys.executable, "-m", "benchmarks.callback_receiver", str(port)], os.environ)
        yield f"http://127.0.0.1:{port}/outcomes"


def _record(run: _Run, began: str, sizes: Sizes, complete: bool) -> GrowthRecord:
    return GrowthRecord(
        kit=kit_version(),
        began=began,
        ended=_now(),
        complete=complete,
        command=shlex.join(["kit", *sys.argv[1:]]),
        host=machine(),
        versions=library_versions(),
        git=kit_revision(),
        small={axis.value: size for axis, size in sizes.small.items()},
        weights=tuple(run.weights),
        expiries=tuple(run.expiries),
        soaks=tuple(run.soaks),
    )


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
