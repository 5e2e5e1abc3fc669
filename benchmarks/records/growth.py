"""The files of `kit bench growth`: `growth.json`, and `growth.csv.gz` with a row for each pair of requests.

Both hold raw measurements only; a report can be created from them at any time.
"""

import csv
import gzip
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, astuple, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from benchmarks.records.run import RunError

FORMAT = 1


class Axis(StrEnum):
    """What grows."""

    RECORDS = "records"  # kept records of finished tasks
    WAITING = "waiting"  # accepted tasks that have not started
    LONG_POLLS = "long_polls"  # status requests held open


class Action(StrEnum):
    """The request that is timed."""

    SUBMIT = "submit"
    STATUS = "status"


@dataclass(frozen=True)
class Pair:
    """The same request to the small server and to the grown one, sent one after the other."""

    pattern: str
    axis: Axis
    size: int
    round: int
    action: Action
    small_seconds: float
    grown_seconds: float


@dataclass(frozen=True)
class MemoryReading:
    """The memory of all processes of one role at one size."""

    pattern: str
    axis: Axis
    size: int
    role: str
    bytes: int


@dataclass(frozen=True)
class Expiry:
    """The longest requests while many records expire at once, compared with a server that has few."""

    pattern: str
    records: int
    requests: int  # to each of the two servers
    small_longest: float
    grown_longest: float
    bytes_before: int  # of the process that keeps the records
    bytes_after: int


@dataclass(frozen=True)
class SoakReading:
    """The bytes in use by each role after `tasks` tasks."""

    tasks: int
    in_use: Mapping[str, int]


@dataclass(frozen=True)
class SoakRecord:
    """Many tasks through one pattern, once with records that are kept and once with records that soon expire."""

    pattern: str
    tasks: int
    keeper: str  # the role that keeps the records
    kept: tuple[SoakReading, ...]  # after each part of the tasks, sent over HTTP
    filled: tuple[SoakReading, ...]  # after as many records, written directly to the store
    expired: tuple[SoakReading, ...]  # before the first task, and after the last record has expired
    handles_before: Mapping[str, int]
    handles_after: Mapping[str, int]
    threads_before: Mapping[str, int]
    threads_after: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class GrowthRecord:
    """A growth run without its pairs."""

    format: int = FORMAT
    kit: str = ""
    began: str = ""  # ISO 8601, UTC
    ended: str = ""
    complete: bool = False
    command: str = ""
    host: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    git: str = ""
    small: Mapping[str, int] = field(default_factory=dict)  # by axis: the size of the small server
    weights: tuple[MemoryReading, ...] = ()
    expiries: tuple[Expiry, ...] = ()
    soaks: tuple[SoakRecord, ...] = ()


@dataclass(frozen=True)
class GrowthFolder:
    """The folder of the two files."""

    path: Path

    @property
    def record(self) -> Path:
        """`growth.json`."""
        return self.path / "growth.json"

    @property
    def pairs(self) -> Path:
        """A row for each pair of requests."""
        return self.path / "growth.csv.gz"

    def write(self, record: GrowthRecord, pairs: Iterable[Pair]) -> None:
        """Write both, the record last: if it exists, the files are complete."""
        with gzip.open(self.pairs, "wt", encoding="utf-8", newline="") as file:
            lines = csv.writer(file, lineterminator="\n")
            lines.writerow(_HEADER)
            lines.writerows(
                [f"{value:.7f}" if isinstance(value, float) else value for value in astuple(row)] for row in pairs
            )
        self.record.write_text(json.dumps(asdict(record), indent=1) + "\n", encoding="utf-8")

    def read(self) -> tuple[GrowthRecord, list[Pair]]:
        """Read both. Raises `RunError`."""
        try:
            values = json.loads(self.record.read_text(encoding="utf-8"))
            if values.get("format") != FORMAT:
                raise RunError(f"{self.record} has format {values.get('format')}; this kit reads format {FORMAT}.")
            with gzip.open(self.pairs, "rt", encoding="utf-8", newline="") as file:
                rows = csv.reader(file)
                if tuple(next(rows, ())) != _HEADER:
                    raise RunError(f"{self.pairs}: its first line is not {','.join(_HEADER)}")
                return _record(values), [_pair(row) for row in rows]
        except OSError as error:
            raise RunError(f"{self.path} has no growth results: {error.strerror or error}.") from None
        except (ValueError, TypeError, KeyError, AttributeError, EOFError) as error:
            raise RunError(f"{self.record} cannot be read: {type(error).__name__}: {error}") from None


_HEADER = tuple(field.name for field in fields(Pair))


def _pair(row: list[str]) -> Pair:
    pattern, axis, size, turn, action, small, grown = row
    return Pair(pattern, Axis(axis), int(size), int(turn), Action(action), float(small), float(grown))


def _record(values: dict[str, Any]) -> GrowthRecord:
    weights = tuple(MemoryReading(**{**reading, "axis": Axis(reading["axis"])}) for reading in values.pop("weights"))
    expiries = tuple(Expiry(**expiry) for expiry in values.pop("expiries"))
    soaks = tuple(_soak_record(soak) for soak in values.pop("soaks"))
    return GrowthRecord(**values, weights=weights, expiries=expiries, soaks=soaks)


def _soak_record(values: dict[str, Any]) -> SoakRecord:
    readings = {
        name: tuple(SoakReading(**reading) for reading in values[name]) for name in ("kept", "filled", "expired")
    }
    return SoakRecord(**{**values, **readings})
