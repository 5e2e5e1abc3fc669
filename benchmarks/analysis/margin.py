"""How much two contenders must differ in a single round before one of them is called faster.

The interval of a single round covers the variation between tasks, not between rounds, so it cannot name a winner by
itself. The lead must also exceed what a client would notice, a quarter of the smaller median, and three times the
noise of the null contender. Three times, because other programs delay a pattern with several processes more often
than the null contender, which has one.
"""

from benchmarks.analysis.measures import Measure, Spread

#: Less than a network round trip between two cities, and irrelevant to a job of minutes.
SECONDS = 0.010
SHARE = 0.25
_NOISE_TIMES = 3


def margin(first: float, second: float, noise: float) -> float:
    """The largest difference of two medians, in seconds, at which a single round names no winner."""
    return max(SECONDS, SHARE * min(first, second), _NOISE_TIMES * noise)


def noise_of(null: Spread | None) -> float:
    """The variation that the harness and the machine cause: p95 minus p50 of the null contender, which does no work.
    Zero if it was not measured."""
    return null.p95.value - null.p50.value if null else 0.0


#: End to end, because it includes every request of a task.
NOISE_MEASURE = Measure.END_TO_END
