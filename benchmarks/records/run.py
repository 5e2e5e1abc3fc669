"""`run.json`: everything that a run records beside its samples. A report is created from these files alone.

The folder of a run contains `samples.csv` (`samples.csv.gz` after the run) with a row for each task, `callbacks.csv`
with a row for each callback, and `run.json`: the machine, the settings, the plan and resource usage of each trial,
and the load process's report about itself. Nothing in it is computed from the samples.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

#: Incremented when an older reader could misread a newer file.
FORMAT = 1


class Mode(StrEnum):
    """The purpose of a trial."""

    STEADY = "steady"  # one rate: latencies, and the cost of a task
    SWEEP = "sweep"  # one of several rates, up to more than the workers' capacity
    BURST = "burst"  # many tasks at once, then none: time until they are done
    OVERLOAD = "overload"  # twice the capacity for a while: goodput, refusals, recovery
    SOAK = "soak"  # long and steady: the memory that tasks leave behind


class RunError(Exception):
    """A folder that is not a run or cannot be read. The message is one line."""


@dataclass(frozen=True, kw_only=True)
class ContenderRecord:
    """A contender of a run."""

    name: str
    title: str
    summary: str
    runs_in: str
    learns_by: str
    teaches: str  # the question that it answers; empty for the null contender and the matrix
    loses_on: tuple[str, ...]
    kind: str  # "pattern", "contender" (external), "null" (the harness overhead), or "matrix"
    #: The parts that can fail: "web", "worker", "broker". None in older records.
    parts: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Usage:
    """The resource usage of one role (web server, worker, Redis server, load process) in a trial."""

    role: str
    cpu_seconds: float
    peak_memory_bytes: int
    #: Memory over time: seconds since the trial began, and bytes.
    memory: tuple[tuple[float, int], ...] = ()


@dataclass(frozen=True, kw_only=True)
class MachineUse:
    """The CPU time of the whole machine in a trial, in seconds."""

    cores: int
    wall_seconds: float
    own_cpu_seconds: float  # of this run: the servers, the load process, and `kit bench` itself
    other_cpu_seconds: float  # of all other programs
    steal_seconds: float  # given to other virtual machines by the hypervisor


@dataclass(frozen=True, kw_only=True)
class LoadReport:
    """The load process's report about itself, counted independently of the samples."""

    tasks: int  # sent, which is also the number of rows written for them
    task_seconds: float  # the integral over time of the tasks in flight
    wall_seconds: float
    busiest_cpu_share: float  # of one core, in the busiest second
    cpu_share: float  # of one core, overall
    clock_step_seconds: float  # how far time.time() moved relative to time.monotonic()
    longest_stall_seconds: float  # the longest delay of a short sleep


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One run of one contender under one load."""

    number: int  # the `trial` of its samples
    round: int
    contender: str
    mode: Mode
    rate: float  # tasks per second in the measured phase; 0 in a burst
    count: int  # measured tasks
    duration: float  # seconds of the measured phase
    capacity: float  # the most tasks per second that the workers can complete
    began: float = 0.0  # seconds since the epoch
    ended: float = 0.0
    load: LoadReport | None = None
    usage: tuple[Usage, ...] = ()
    machine: MachineUse | None = None  # None with --url and in older records
    failure: str = ""  # why the trial failed, in one line


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """A run without its samples."""

    format: int = FORMAT
    kit: str = ""
    began: str = ""  # ISO 8601, UTC
    ended: str = ""
    complete: bool = False  # False: it was interrupted
    seed: int = 0
    command: str = ""  # the command line that repeats it
    settings: Mapping[str, Any] = field(default_factory=dict)  # the plan: work, workers, poll interval, deadline …
    host: Mapping[str, Any] = field(default_factory=dict)  # cores, processor, memory, kernel, python
    versions: Mapping[str, str] = field(default_factory=dict)  # libraries, and the broker's name and version
    git: str = ""  # the revision of the kit, with "+" if files were modified
    contenders: tuple[ContenderRecord, ...] = ()
    trials: tuple[Trial, ...] = ()


@dataclass(frozen=True)
class RunFolder:
    """The folder of a run and its files."""

    path: Path

    @property
    def record(self) -> Path:
        """`run.json`."""
        return self.path / "run.json"

    @property
    def samples(self) -> Path:
        """A row for each task, while the run lasts."""
        return self.path / "samples.csv"

    @property
    def packed_samples(self) -> Path:
        """The same, compressed, after the run."""
        return self.path / "samples.csv.gz"

    @property
    def callbacks(self) -> Path:
        """A row for each callback."""
        return self.path / "callbacks.csv"

    @property
    def html(self) -> Path:
        """The report as HTML."""
        return self.path / "report.html"

    @property
    def markdown(self) -> Path:
        """The report as Markdown."""
        return self.path / "report.md"

    def log(self, contender: str) -> Path:
        """The output of a contender's servers and load process."""
        return self.path / f"{contender}.log"

    def write_record(self, record: RunRecord) -> None:
        """Write `run.json` atomically."""
        new = self.record.with_suffix(".new")
        new.write_text(json.dumps(asdict(record), indent=1, default=str) + "\n", encoding="utf-8")
        new.replace(self.record)

    def read_record(self) -> RunRecord:
        """Read `run.json`. Raises `RunError`."""
        try:
            values = json.loads(self.record.read_text(encoding="utf-8"))
            if values.get("format") != FORMAT:
                raise RunError(f"{self.record} has format {values.get('format')}; this kit reads format {FORMAT}.")
            return _record(values)
        except OSError as error:
            raise RunError(f"{self.path} is not a run: {self.record.name}: {error.strerror}.") from None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise RunError(f"{self.record} cannot be read: {type(error).__name__}: {error}") from None


def _record(values: dict[str, Any]) -> RunRecord:
    contenders = tuple(map(_contender, values.pop("contenders")))
    trials = tuple(_trial(trial) for trial in values.pop("trials"))
    return RunRecord(**values, contenders=contenders, trials=trials)


def _contender(values: dict[str, Any]) -> ContenderRecord:
    parts = values.pop("parts", None)
    return ContenderRecord(
        **{**values, "loses_on": tuple(values["loses_on"])}, parts=None if parts is None else tuple(parts)
    )


def _trial(values: dict[str, Any]) -> Trial:
    load, usage, machine = values.pop("load"), values.pop("usage"), values.pop("machine", None)
    return Trial(
        **{**values, "mode": Mode(values["mode"])},
        load=LoadReport(**load) if load else None,
        machine=MachineUse(**machine) if machine else None,
        usage=tuple(Usage(**{**role, "memory": tuple(map(tuple, role["memory"]))}) for role in usage),
    )
