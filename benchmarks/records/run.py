"""What a run writes beside its samples: `run.json`. Together they are all that a report is made from.

A run is a folder: `samples.csv` (`samples.csv.gz` once it has ended) with a row for each task, `callbacks.csv` with
a row for each callback, and `run.json` with the rest: where and when it ran, what each trial was to do, what the load
process saw of itself, and what the servers' processes used. Nothing in it is computed from the samples.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

#: Grows when a reader of the old form could misread the new one.
FORMAT = 1


class Mode(StrEnum):
    """What a trial is for."""

    STEADY = "steady"  # a given rate: latencies, and what a task costs
    SWEEP = "sweep"  # one of several rates, up to more than the workers can do
    BURST = "burst"  # many at once, and then none: how long until they are done
    OVERLOAD = "overload"  # twice what the workers can do, for a while: what is done, what is refused, and after it
    SOAK = "soak"  # long and low: what stays in memory of each task


class RunError(Exception):
    """A folder is no run, or cannot be read. The message is one line."""


@dataclass(frozen=True, kw_only=True)
class ContenderRecord:
    """A contender of a run."""

    name: str
    title: str
    summary: str
    runs_in: str
    learns_by: str
    teaches: str  # the question in whose table it stands; empty for the null contender
    loses_on: tuple[str, ...]
    kind: str  # "pattern", "contender" (from outside), "null" (the harness's own cost), or "matrix"
    #: The parts that can break: "web", "worker", "broker". None in a run that was recorded before this was noted.
    parts: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What the processes of one role (web server, worker, Redis server, load process) used in a trial."""

    role: str
    cpu_seconds: float
    peak_memory_bytes: int
    #: Seconds since the trial began, and bytes: what the memory was then.
    memory: tuple[tuple[float, int], ...] = ()


@dataclass(frozen=True, kw_only=True)
class MachineUse:
    """What all processors of the machine did in a trial: seconds of processor time."""

    cores: int
    wall_seconds: float
    own_cpu_seconds: float  # this run's: the servers, the load process, and `kit bench` itself
    other_cpu_seconds: float  # every other program's
    steal_seconds: float  # given to other virtual machines by the hypervisor


@dataclass(frozen=True, kw_only=True)
class LoadReport:
    """What the load process says of itself: a check of the instrument, made apart from the samples."""

    tasks: int  # begun, and so many rows it has written
    task_seconds: float  # the integral of how many were under way, over time
    wall_seconds: float
    busiest_cpu_share: float  # of one core, in its busiest second
    cpu_share: float  # of one core, over all
    clock_step_seconds: float  # by how much time.time() was moved against time.monotonic()
    longest_stall_seconds: float  # by how much a short sleep was ever late


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One load on the servers of one contender."""

    number: int  # the `trial` of its samples
    round: int
    contender: str
    mode: Mode
    rate: float  # tasks per second, where it is measured; in a burst 0
    count: int  # tasks that are measured
    duration: float  # seconds that are measured
    capacity: float  # tasks per second that the workers can do at most
    began: float = 0.0  # seconds since the epoch
    ended: float = 0.0
    load: LoadReport | None = None
    usage: tuple[Usage, ...] = ()
    machine: MachineUse | None = None  # None where the servers are not this run's own, and in older runs
    failure: str = ""  # why it came to nothing, in one line


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """A run, without its samples."""

    format: int = FORMAT
    kit: str = ""
    began: str = ""  # ISO 8601, UTC
    ended: str = ""
    complete: bool = False  # False: it was stopped, and this is what was measured so far
    seed: int = 0
    command: str = ""  # as it can be typed again
    settings: Mapping[str, Any] = field(default_factory=dict)  # the plan: work, workers, poll interval, deadline …
    host: Mapping[str, Any] = field(default_factory=dict)  # cores, processor, memory, kernel, python
    versions: Mapping[str, str] = field(default_factory=dict)  # libraries, and the broker's name and version
    git: str = ""  # the revision of the kit, with "+" when files were changed
    contenders: tuple[ContenderRecord, ...] = ()
    trials: tuple[Trial, ...] = ()


@dataclass(frozen=True)
class RunFolder:
    """Where the files of a run are."""

    path: Path

    @property
    def record(self) -> Path:
        """`run.json`."""
        return self.path / "run.json"

    @property
    def samples(self) -> Path:
        """A row for each task; while it is written."""
        return self.path / "samples.csv"

    @property
    def packed_samples(self) -> Path:
        """The same, once the run has ended."""
        return self.path / "samples.csv.gz"

    @property
    def callbacks(self) -> Path:
        """A row for each callback."""
        return self.path / "callbacks.csv"

    @property
    def html(self) -> Path:
        """The report, for a browser."""
        return self.path / "report.html"

    @property
    def markdown(self) -> Path:
        """The report, as text."""
        return self.path / "report.md"

    def log(self, contender: str) -> Path:
        """What the servers and the load process of a contender printed."""
        return self.path / f"{contender}.log"

    def write_record(self, record: RunRecord) -> None:
        """Write `run.json` anew, whole or not at all."""
        new = self.record.with_suffix(".new")
        new.write_text(json.dumps(asdict(record), indent=1, default=str) + "\n", encoding="utf-8")
        new.replace(self.record)

    def read_record(self) -> RunRecord:
        """Read it. Raises `RunError`."""
        try:
            values = json.loads(self.record.read_text(encoding="utf-8"))
            if values.get("format") != FORMAT:
                raise RunError(f"{self.record} has format {values.get('format')}, and this kit reads format {FORMAT}.")
            return _record(values)
        except OSError as error:
            raise RunError(f"{self.path} is no run: {self.record.name}: {error.strerror}.") from None
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
