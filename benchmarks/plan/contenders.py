"""The contenders of a run: the five patterns, external ones, the matrix, and the null contender."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from benchmarks.plan.null_contender import NULL
from benchmarks.records.run import ContenderRecord
from patterns import BACKGROUND_TASKS, CELERY_QUEUE, PATTERNS
from patterns.contract.descriptor import LearnsBy, Pattern

_MATRIX_TITLES = {LearnsBy.ADAPTIVE_POLL: "adaptive polling", LearnsBy.CALLBACK: "callback"}


@dataclass(frozen=True)
class Contender:
    """A contender: what is served, and how its client learns the outcome."""

    name: str
    pattern: Pattern
    learns_by: LearnsBy
    kind: str  # as in `ContenderRecord`
    url: str = ""  # of a running server; if empty, the run starts its own
    env: Mapping[str, str] = field(default_factory=dict)


class UnknownPattern(Exception):
    """A pattern that does not exist. The message lists the existing ones."""


def select_patterns(names: str) -> list[Contender]:
    """The patterns in a comma-separated list, in teaching order. Raises `UnknownPattern`."""
    selected = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    unknown = [name for name in selected if name not in PATTERNS]
    if unknown or not selected:
        what = f"There is no pattern {', '.join(map(repr, unknown))}" if unknown else "--patterns is empty"
        raise UnknownPattern(f"{what}. The patterns are: {', '.join(PATTERNS)}.")
    return [as_contender(pattern, "pattern") for name, pattern in PATTERNS.items() if name in selected]


def as_contender(pattern: Pattern, kind: str) -> Contender:
    """A pattern with the client that it is designed for."""
    return Contender(pattern.name, pattern, pattern.learns_by, kind)


def null_contender() -> Contender:
    """The contender that measures the harness overhead."""
    return as_contender(NULL, "null")


def matrix_contenders() -> list[Contender]:
    """The combinations that the five leave out: work outside the in-memory queue, without fixed-interval polling."""
    adaptive = [
        Contender(f"{pattern.name}-polite", pattern, LearnsBy.ADAPTIVE_POLL, "matrix")
        for pattern in (BACKGROUND_TASKS, CELERY_QUEUE)
    ]
    return [*adaptive, Contender(f"{CELERY_QUEUE.name}-callback", CELERY_QUEUE, LearnsBy.CALLBACK, "matrix")]


def contender_records(contenders: Iterable[Contender]) -> tuple[ContenderRecord, ...]:
    """The contenders for `run.json`."""
    return tuple(map(_record, contenders))


def _record(contender: Contender) -> ContenderRecord:
    pattern, kind = contender.pattern, contender.kind
    return ContenderRecord(
        name=contender.name,
        title=f"{pattern.title}, {_MATRIX_TITLES[contender.learns_by]}" if kind == "matrix" else pattern.title,
        summary=pattern.summary,
        runs_in=pattern.runs_in.value,
        learns_by=contender.learns_by.value,
        teaches="" if kind in {"null", "matrix"} else pattern.teaches.value,
        loses_on=tuple(sorted(fault.value for fault in pattern.loses_on)),
        kind=kind,
        parts=_parts(pattern),
    )


def _parts(pattern: Pattern) -> tuple[str, ...]:
    """The parts of a pattern that can fail."""
    present = {"web": True, "worker": bool(pattern.processes), "broker": "redis" in pattern.needs}
    return tuple(part for part, is_present in present.items() if is_present)
