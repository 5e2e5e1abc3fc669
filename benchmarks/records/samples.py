"""The raw data: one flat record for each task, written as it goes, and nothing computed in it.

Every metric in a report comes from these rows. Moments are seconds since the epoch. `intended`, `sent`,
`accepted`, `notified` and `ended` are the client's, `started` and `finished` are the server's; both run on one machine
and read one clock.
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
    """What a task was sent for."""

    WARM_UP = "warm-up"  # so that imports, connections and caches are there; in no metric
    MEASURED = "measured"
    RECOVERY = "recovery"  # after an overload, to see when the servers are themselves again


class Outcome(StrEnum):
    """What became of a task, as its client saw it. Each task has exactly one."""

    COMPLETED = "completed"
    FAILED = "failed"  # accepted, and ended as failed or cancelled
    LOST = "lost"  # accepted, and no outcome within the deadline, or the server no longer knew it
    REFUSED = "refused"  # the server answered 503, and accepted nothing
    ERROR = "error"  # any other answer to submit, or none
    DROPPED = "dropped"  # not sent in time: the load process had too many tasks under way
    INTERRUPTED = "interrupted"  # the run was stopped before its outcome was known


class SamplesError(Exception):
    """A file of samples cannot be read. The message is one line."""


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
    ended: float | None = None  # the client knew the outcome, or had given up
    task_id: str = ""
    outcome: Outcome = Outcome.INTERRUPTED
    status: str = ""
    http_status: int = 0
    requests: int = 0

    @property
    def lateness(self) -> float | None:
        """How late the load process itself was."""
        return _between(self.intended, self.sent)

    @property
    def submit_latency(self) -> float | None:
        """From the moment it should have been sent, so that a stall counts for every task that it delayed."""
        return _between(self.intended, self.accepted)

    @property
    def queue_wait(self) -> float | None:
        """From accepted to started. The server may start before its 202 has arrived: then it is negative."""
        return _between(self.accepted, self.started)

    @property
    def execution(self) -> float | None:
        """How long the agent worked."""
        return _between(self.started, self.finished)

    @property
    def notification_lag(self) -> float | None:
        """How long the outcome was there before the client knew."""
        return _between(self.finished, self.notified)

    @property
    def end_to_end(self) -> float | None:
        """From the moment it should have been sent to the moment the client knew the outcome."""
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


#: The first line of the file, and the order of its columns.
HEADER = tuple(field.name for field in fields(Sample))


def read_samples(path: Path) -> list[Sample]:
    """All samples in a file, plain or packed (`.gz`), none if there is no file. Raises `SamplesError`.

    A last line without its end is left out: a process was killed while it wrote it.
    """
    return list(_read(path)) if path.exists() else []


def pack(path: Path) -> Path:
    """Compress a file of samples, and give the new one: a tenth of the size, and still one file that anything reads."""
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
    whole = text[: text.rfind("\n") + 1]
    lines = csv.reader(io.StringIO(whole))
    header = next(lines, list(HEADER))
    if tuple(header) != HEADER:
        raise SamplesError(f"{path}: its first line is not the header of samples: {','.join(HEADER)}")
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
