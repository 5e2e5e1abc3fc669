"""When tasks are to be sent: decided before the first one is, so that no answer can change it."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from benchmarks.records.samples import Phase


class Shape(StrEnum):
    """How arrivals are spread over the time."""

    POISSON = "poisson"  # independent of each other, as those of many people are: they come in clumps
    CONSTANT = "constant"  # evenly


@dataclass(frozen=True)
class Segment:
    """So many tasks in so many seconds; in no time at all they come at once."""

    phase: Phase
    seconds: float
    count: int

    @classmethod
    def at(cls, phase: Phase, seconds: float, rate: float) -> "Segment":
        """A number of tasks per second."""
        return cls(phase, seconds, round(rate * seconds))


@dataclass(frozen=True)
class Arrival:
    """One task to be sent, `offset` seconds after the load begins."""

    number: int
    offset: float
    phase: Phase


def schedule(segments: Sequence[Segment], seed: int, shape: Shape) -> list[Arrival]:
    """The arrivals of one trial, one segment after the other. The same arguments give the same arrivals."""
    chance = random.Random(f"arrivals:{seed}")
    arrivals: list[Arrival] = []
    begin = 0.0
    for segment in segments:
        for offset in _offsets(segment, chance, shape):
            arrivals.append(Arrival(len(arrivals), begin + offset, segment.phase))
        begin += segment.seconds
    return arrivals


def _offsets(segment: Segment, chance: random.Random, shape: Shape) -> Iterator[float]:
    if shape is Shape.CONSTANT or not segment.seconds:
        yield from (number * segment.seconds / segment.count for number in range(segment.count))
    else:
        # A Poisson process whose count is known is that many uniform moments, sorted. So chance moves the
        # clumps about, and never the number of tasks.
        yield from sorted(chance.uniform(0, segment.seconds) for _ in range(segment.count))
