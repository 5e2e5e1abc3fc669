"""Who takes part: the five, contenders from outside, every where by how, and the null contender."""

import sys
from collections.abc import Iterable
from dataclasses import replace
from importlib.metadata import packages_distributions
from types import ModuleType

import httpx

from benchmarks.comparison import Entrant
from benchmarks.null import NULL
from benchmarks.run_record import Contender
from patterns import BACKGROUND_TASKS, CELERY_QUEUE, PATTERNS
from patterns.descriptor import LearnsBy, Pattern

_ALSO = {LearnsBy.ADAPTIVE_POLL: "polled politely", LearnsBy.CALLBACK: "called back"}


class NoSuchPattern(Exception):
    """The message says which there are."""


def chosen(names: str) -> list[Entrant]:
    """Those of the five that are named, with commas between, in teaching order. Raises `NoSuchPattern`."""
    wanted = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    unknown = [name for name in wanted if name not in PATTERNS]
    if unknown or not wanted:
        what = f"There is no pattern {', '.join(map(repr, unknown))}" if unknown else "--patterns names none"
        raise NoSuchPattern(f"{what}. There are: {', '.join(PATTERNS)}.")
    return [entrant(pattern, "pattern") for name, pattern in PATTERNS.items() if name in wanted]


def entrant(pattern: Pattern, kind: str) -> Entrant:
    """A pattern as it is, with the client that it is meant for."""
    return Entrant(pattern.name, pattern, pattern.learns_by, kind)


def served_at(url: str) -> Entrant:
    """A server that runs already. Raises `NoSuchPattern` when nobody there says what it is."""
    try:
        health = httpx.get(f"{url}/health", timeout=5, trust_env=False).json()
        name = str(health["pattern"])
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError):
        raise NoSuchPattern(
            f"--url {url}: GET /health does not say which pattern is served there. Start one: kit serve NAME"
        ) from None
    pattern = PATTERNS.get(name) or replace(NULL, name=name, title=name, summary=url, learns_by=LearnsBy.FIXED_POLL)
    return Entrant(name, pattern, pattern.learns_by, "pattern" if name in PATTERNS else "contender", url=url)


def libraries_of(one: Pattern) -> set[str]:
    """The installed packages that a contender's module has names of: its queue library is what is measured."""
    module = sys.modules.get(one.module)
    owners = packages_distributions()
    tops = set()
    for value in vars(module).values() if module else ():
        name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        tops.add(str(name).partition(".")[0])
    return {owner for top in tops for owner in owners.get(top, ())}


def null() -> Entrant:
    """The null contender."""
    return entrant(NULL, "null")


def combinations() -> list[Entrant]:
    """What the five leave out: work that is not in memory, with a client that does not poll at an interval."""
    politely = [
        Entrant(f"{pattern.name}-polite", pattern, LearnsBy.ADAPTIVE_POLL, "matrix")
        for pattern in (BACKGROUND_TASKS, CELERY_QUEUE)
    ]
    return [*politely, Entrant(f"{CELERY_QUEUE.name}-callback", CELERY_QUEUE, LearnsBy.CALLBACK, "matrix")]


def contenders(entrants: Iterable[Entrant]) -> tuple[Contender, ...]:
    """As a run's record names them."""
    return tuple(
        Contender(
            name=one.name,
            title=one.pattern.title if one.kind != "matrix" else f"{one.pattern.title}, {_ALSO[one.learns_by]}",
            summary=one.pattern.summary,
            runs_in=one.pattern.runs_in.value,
            learns_by=one.learns_by.value,
            teaches="" if one.kind in {"null", "matrix"} else one.pattern.teaches.value,
            loses_on=tuple(sorted(fault.value for fault in one.pattern.loses_on)),
            kind=one.kind,
        )
        for one in entrants
    )
