"""The schedule of arrivals, fixed before the first task is sent, so that no response can change it."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from benchmarks.records.samples import Phase


class Shape(StrEnum):
    """The distribution of arrivals over time."""

    POISSON = "poisson"  # independent arrivals, as from many users, which come in clusters
    CONSTANT = "constant"  # evenly spaced


@dataclass(frozen=True)
class Segment:
    """`count` tasks within `seconds`; all at once if that is zero."""

    phase: Phase
    seconds: float
    count: int

    @classmethod
    def at(cls, phase: Phase, seconds: float, rate: float) -> "Segment":
        """The segment with `rate` tasks per second."""
        return cls(phase, seconds, round(rate * seconds))


@dataclass(frozen=True)
class Arrival:
    """One task to send, `offset` seconds after the start of the load."""

    number: int
    offset: float
    phase: Phase


def schedule(segments: Sequence[Segment], seed: int, shape: Shape) -> list[Arrival]:
    """The arrivals of one trial, segment by segment. The same arguments give the same arrivals."""
    rng = random.Random(f"arrivals:{seed}")
    arrivals: list[Arrival] = []
    start = 0.0
    for segment in segments:
        for offset in _offsets(segment, rng, shape):
            arrivals.append(Arrival(len(arrivals), start + offset, segment.phase))
        start += segment.seconds
    return arrivals


def _offsets(segment: Segment, rng: random.Random, shape: Shape) -> Iterator[float]:
    if shape is Shape.CONSTANT or not segment.seconds:
        yield from (number * segment.seconds / segment.count for number in range(segment.count))
    else:
        # Given its count, a Poisson process is that many sorted uniform moments. So the seed changes the clusters, but
        # never the number of tasks.
        yield from sorted(rng.uniform(0, segment.seconds) for _ in range(segment.count))
