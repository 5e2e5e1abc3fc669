"""Synthetic pairs and soaks, in which the growth of each server is known exactly."""

import random

from benchmarks.records.growth import Action, Axis, Pair, SoakReading, SoakRecord

SIZES = (10_000, 100_000, 1_000_000)
SMALL = {"records": 1_000, "waiting": 1, "long_polls": 1}


def pairs(times_as_long: dict[int, float], action: Action = Action.STATUS, noise: float = 0.1) -> list[Pair]:
    """Pairs in which the grown server takes `times_as_long` as the small one, with some noise."""
    rng = random.Random(7)
    return [
        Pair(
            "mine", Axis.RECORDS, size, turn, action,
            small_seconds=0.001 * rng.lognormvariate(0, noise),
            grown_seconds=0.001 * ratio * rng.lognormvariate(0, noise),
        )
        for size, ratio in times_as_long.items() for turn in range(1, 6) for _ in range(100)
    ]  # fmt: skip


def a_soak(each: float, record: float = 600.0, left: int = 0) -> SoakRecord:
    """A soak that leaves `each` bytes per task behind, after a start that fills caches."""

    def readings(bytes_each: float) -> tuple[SoakReading, ...]:
        sizes = range(0, 24_001, 2_000)
        return tuple(
            SoakReading(n, {"web server": int(50e6 + 3e6 * min(n, 6_000) / 6_000 + bytes_each * n)}) for n in sizes
        )

    ends = (SoakReading(0, {"web server": 50_000_000}), SoakReading(24_000, {"web server": 50_000_000 + left}))
    open_before, open_after = {"web server": 20}, {"web server": 20 + (left > 0)}
    return SoakRecord(
        "mine", 24_000, "web server", readings(each), readings(record), ends, open_before, open_after, {}, {}
    )
