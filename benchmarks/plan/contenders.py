"""Who takes part: the five, contenders from outside, every where by how, and the null contender."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from benchmarks.plan.null_contender import NULL
from benchmarks.records.run import ContenderRecord
from patterns import BACKGROUND_TASKS, CELERY_QUEUE, PATTERNS
from patterns.contract.descriptor import LearnsBy, Pattern

_ALSO = {LearnsBy.ADAPTIVE_POLL: "polled politely", LearnsBy.CALLBACK: "called back"}


@dataclass(frozen=True)
class Contender:
    """A contender as it is served, and how its client learns the outcome."""

    name: str
    pattern: Pattern
    learns_by: LearnsBy
    kind: str  # as in `run_record.ContenderRecord`
    url: str = ""  # where it is served already, by somebody else
    env: Mapping[str, str] = field(default_factory=dict)


class UnknownPattern(Exception):
    """The message says which there are."""


def chosen(names: str) -> list[Contender]:
    """Those of the five that are named, with commas between, in teaching order. Raises `UnknownPattern`."""
    wanted = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    unknown = [name for name in wanted if name not in PATTERNS]
    if unknown or not wanted:
        what = f"There is no pattern {', '.join(map(repr, unknown))}" if unknown else "--patterns names none"
        raise UnknownPattern(f"{what}. There are: {', '.join(PATTERNS)}.")
    return [entrant(pattern, "pattern") for name, pattern in PATTERNS.items() if name in wanted]


def entrant(pattern: Pattern, kind: str) -> Contender:
    """A pattern as it is, with the client that it is meant for."""
    return Contender(pattern.name, pattern, pattern.learns_by, kind)


def null() -> Contender:
    """The null contender."""
    return entrant(NULL, "null")


def combinations() -> list[Contender]:
    """What the five leave out: work that is not in memory, with a client that does not poll at an interval."""
    politely = [
        Contender(f"{pattern.name}-polite", pattern, LearnsBy.ADAPTIVE_POLL, "matrix")
        for pattern in (BACKGROUND_TASKS, CELERY_QUEUE)
    ]
    return [*politely, Contender(f"{CELERY_QUEUE.name}-callback", CELERY_QUEUE, LearnsBy.CALLBACK, "matrix")]


def contenders(entrants: Iterable[Contender]) -> tuple[ContenderRecord, ...]:
    """As a run's record names them."""
    return tuple(
        ContenderRecord(
            name=one.name,
            title=one.pattern.title if one.kind != "matrix" else f"{one.pattern.title}, {_ALSO[one.learns_by]}",
            summary=one.pattern.summary,
            runs_in=one.pattern.runs_in.value,
            learns_by=one.learns_by.value,
            teaches="" if one.kind in {"null", "matrix"} else one.pattern.teaches.value,
            loses_on=tuple(sorted(fault.value for fault in one.pattern.loses_on)),
            kind=one.kind,
            parts=_parts(one.pattern),
        )
        for one in entrants
    )


def _parts(pattern: Pattern) -> tuple[str, ...]:
    """What a pattern has that can break."""
    there = {"web": True, "worker": bool(pattern.processes), "broker": "redis" in pattern.needs}
    return tuple(part for part, has in there.items() if has)
