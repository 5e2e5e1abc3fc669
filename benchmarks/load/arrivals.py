"""When tasks are to be sent: decided before the first one is, so that no answer can change it."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from benchmarks.samples import Phase


class Shape(StrEnum):
    """How arrivals are spread over the time."""

    POISSON = "poisson"  # independent of each other, as those of many people are: they come in clumps
    CONSTANT = "constant"  # evenly


@dataclass(frozen=True)
class Arrival:
    """One task to be sent, `offset` seconds after the load begins."""

    number: int
    offset: float
    phase: Phase


def schedule(rate: float, warm_up: float, duration: float, seed: int, shape: Shape) -> list[Arrival]:
    """The arrivals of one trial: `warm_up` seconds of them, then `duration` seconds that are measured.

    The same arguments give the same arrivals. Exactly round(rate * seconds) fall in each phase.
    """
    chance = random.Random(f"arrivals:{seed}")
    offsets = [(offset, Phase.WARM_UP) for offset in _offsets(rate, warm_up, chance, shape)]
    offsets += [(warm_up + offset, Phase.MEASURED) for offset in _offsets(rate, duration, chance, shape)]
    return [Arrival(number, offset, phase) for number, (offset, phase) in enumerate(offsets)]


def _offsets(rate: float, seconds: float, chance: random.Random, shape: Shape) -> Iterator[float]:
    count = round(rate * seconds)
    if shape is Shape.CONSTANT:
        yield from (number / rate for number in range(count))
    else:
        # A Poisson process whose count is known is that many uniform moments, sorted. So chance moves the
        # clumps about, and never the number of tasks.
        yield from sorted(chance.uniform(0, seconds) for _ in range(count))
