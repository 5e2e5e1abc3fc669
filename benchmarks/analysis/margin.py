"""How much two contenders must differ before one of them is named the better: the rule for a single round.

One round has one minute of one machine in it. Its intervals say how tasks differ, and not what another round would
bring, so they are not enough to name a winner. Its lead must matter too: it is longer than a client would notice, more
than a quarter of the smaller median, and more than three times what the machine did to the null contender in the run:
other programs delay a pattern of several processes more often than the null contender, which has one.
"""

from benchmarks.analysis.measures import Measure, Spread

#: Less than a round trip between two cities: beside a job of minutes it decides nothing.
SECONDS = 0.010
SHARE = 0.25
_NOISE_TIMES = 3


def margin(first: float, second: float, noise: float) -> float:
    """The difference of two medians, in seconds, up to which one round names no winner."""
    return max(SECONDS, SHARE * min(first, second), _NOISE_TIMES * noise)


def noise_of(null: Spread | None) -> float:
    """What the harness and the machine add to one task and not to another: the null contender does no work, so how far
    its slowest twentieth is from its median is theirs. Zero if it was not measured."""
    return null.p95.value - null.p50.value if null else 0.0


#: The measure whose spread is taken: it has all requests of a task in it.
NOISE_MEASURE = Measure.END_TO_END
