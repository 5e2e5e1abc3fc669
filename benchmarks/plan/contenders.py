"""The contenders of a run: the five, those from outside, every where by how, and the null contender."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from benchmarks.plan.null_contender import NULL
from benchmarks.records.run import ContenderRecord
from patterns import BACKGROUND_TASKS, CELERY_QUEUE, PATTERNS
from patterns.contract.descriptor import LearnsBy, Pattern

_MATRIX_TITLES = {LearnsBy.ADAPTIVE_POLL: "polled politely", LearnsBy.CALLBACK: "called back"}


@dataclass(frozen=True)
class Contender:
    """A contender as it is served, and how its client learns the outcome."""

    name: str
    pattern: Pattern
    learns_by: LearnsBy
    kind: str  # as in `ContenderRecord`
    url: str = ""  # of a server that is already running; otherwise the run starts its own
    env: Mapping[str, str] = field(default_factory=dict)


class UnknownPattern(Exception):
    """The message lists the patterns."""


def select_patterns(names: str) -> list[Contender]:
    """The patterns in a comma-separated list, in teaching order. Raises `UnknownPattern`."""
    selected = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    unknown = [name for name in selected if name not in PATTERNS]
    if unknown or not selected:
        what = f"There is no pattern {', '.join(map(repr, unknown))}" if unknown else "--patterns names none"
        raise UnknownPattern(f"{what}. There are: {', '.join(PATTERNS)}.")
    return [as_contender(pattern, "pattern") for name, pattern in PATTERNS.items() if name in selected]


def as_contender(pattern: Pattern, kind: str) -> Contender:
    """A pattern as it is, with the client that it is meant for."""
    return Contender(pattern.name, pattern, pattern.learns_by, kind)


def null_contender() -> Contender:
    """The contender whose times are the harness's own."""
    return as_contender(NULL, "null")


def matrix_contenders() -> list[Contender]:
    """What the five leave out: work that is not in memory, with a client that does not poll at an interval."""
    polite = [
        Contender(f"{pattern.name}-polite", pattern, LearnsBy.ADAPTIVE_POLL, "matrix")
        for pattern in (BACKGROUND_TASKS, CELERY_QUEUE)
    ]
    return [*polite, Contender(f"{CELERY_QUEUE.name}-callback", CELERY_QUEUE, LearnsBy.CALLBACK, "matrix")]


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
    """The parts of a pattern that can break."""
    present = {"web": True, "worker": bool(pattern.processes), "broker": "redis" in pattern.needs}
    return tuple(part for part, is_present in present.items() if is_present)
