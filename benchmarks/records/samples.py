"""The raw data: one flat row for each task, written as the task ends, with nothing computed.

Every metric in a report comes from these rows. Times are seconds since the epoch. `intended`, `sent`, `accepted`,
`notified` and `ended` are the client's, `started` and `finished` the server's; both read the same clock.
"""

import csv
import gzip
import io
import shutil
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Self


class Phase(StrEnum):
    """The phase of a trial in which a task is sent."""

    WARM_UP = "warm-up"  # fills caches and connection pools; in no metric
    MEASURED = "measured"
    RECOVERY = "recovery"  # after an overload, until latency is back to normal


class Outcome(StrEnum):
    """The outcome of a task as its client saw it. Each task has exactly one."""

    COMPLETED = "completed"
    FAILED = "failed"  # accepted, then failed or cancelled
    LOST = "lost"  # accepted, but no outcome before the deadline, or the id became unknown
    REFUSED = "refused"  # the server responded with 503 and accepted nothing
    ERROR = "error"  # any other response to submit, or none
    DROPPED = "dropped"  # not sent in time: the load process had too many tasks in flight
    INTERRUPTED = "interrupted"  # the run ended before the outcome was known


class SamplesError(Exception):
    """A samples file that cannot be read. The message is one line."""


@dataclass(slots=True)
class Sample:
    """One task in a trial."""

    pattern: str
    trial: int
    number: int
    phase: Phase
    intended: float
    sent: float | None = None
    accepted: float | None = None
    started: float | None = None
    finished: float | None = None
    notified: float | None = None
    ended: float | None = None  # when the client learned the outcome or gave up
    task_id: str = ""
    outcome: Outcome = Outcome.INTERRUPTED
    status: str = ""
    http_status: int = 0
    requests: int = 0

    @property
    def lateness(self) -> float | None:
        """From intended to sent: the delay of the load process itself."""
        return _between(self.intended, self.sent)

    @property
    def submit_latency(self) -> float | None:
        """From intended to accepted, so that a stall counts for every task that it delays."""
        return _between(self.intended, self.accepted)

    @property
    def queue_wait(self) -> float | None:
        """From accepted to started. Negative if the task starts before its 202 arrives."""
        return _between(self.accepted, self.started)

    @property
    def execution(self) -> float | None:
        """From started to finished."""
        return _between(self.started, self.finished)

    @property
    def notification_lag(self) -> float | None:
        """From finished to notified."""
        return _between(self.finished, self.notified)

    @property
    def end_to_end(self) -> float | None:
        """From intended to notified."""
        return _between(self.intended, self.notified)

    def row(self) -> str:
        """One line of CSV."""
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow([_text(value) for value in astuple(self)])
        return line.getvalue()

    @classmethod
    def from_row(cls, row: list[str]) -> Self:
        """The sample in one line of CSV. Raises `ValueError`."""
        if len(row) != len(HEADER):
            raise ValueError(f"{len(row)} fields instead of {len(HEADER)}")
        values: dict[str, Any] = dict(zip(HEADER, row, strict=True))
        for name in ("intended", "sent", "accepted", "started", "finished", "notified", "ended"):
            values[name] = float(values[name]) if values[name] else None
        if values["intended"] is None:
            raise ValueError("intended is empty")
        for name in ("trial", "number", "http_status", "requests"):
            values[name] = int(values[name])
        values["phase"], values["outcome"] = Phase(values["phase"]), Outcome(values["outcome"])
        return cls(**values)


#: The header line, which also defines the order of the columns.
HEADER = tuple(field.name for field in fields(Sample))


def read_samples(path: Path) -> list[Sample]:
    """All samples in a file, plain or compressed (`.gz`); empty without a file. Raises `SamplesError`.

    An incomplete last line is skipped: its writer was killed.
    """
    return list(_read(path)) if path.exists() else []


def pack(path: Path) -> Path:
    """Compress a samples file to a tenth of its size and return the new path."""
    packed = path.with_name(f"{path.name}.gz")
    with path.open("rb") as plain, gzip.open(packed, "wb") as file:
        shutil.copyfileobj(plain, file)
    path.unlink()
    return packed


def _read(path: Path) -> Iterator[Sample]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            text = file.read()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise SamplesError(f"{path} cannot be read: {error}") from None
    complete_lines = text[: text.rfind("\n") + 1]
    lines = csv.reader(io.StringIO(complete_lines))
    header = next(lines, list(HEADER))
    if tuple(header) != HEADER:
        raise SamplesError(f"{path}: the first line is not the samples header: {','.join(HEADER)}")
    for number, row in enumerate(lines, start=2):
        try:
            yield Sample.from_row(row)
        except ValueError as error:
            raise SamplesError(f"{path}, line {number}: {error}") from None


def _between(begin: float | None, end: float | None) -> float | None:
    return None if begin is None or end is None else end - begin


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.6f}" if isinstance(value, float) else str(value)
