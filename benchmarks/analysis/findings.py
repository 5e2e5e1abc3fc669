"""The findings of a run as data: every number that a report shows.

In seconds, bytes and tasks per second. Intervals are 95 % confidence intervals.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from benchmarks.analysis.growth_findings import GrowthFindings
from benchmarks.analysis.measures import Estimate, Measure, Spread
from benchmarks.analysis.metrics import Tally
from benchmarks.records.faults import FaultTrial
from benchmarks.records.run import ContenderRecord, Mode, RunRecord


@dataclass(frozen=True)
class Difference:
    """The median of the first contender minus that of the second, over tasks sent at the same moments."""

    measure: Measure
    first: str
    second: str
    seconds: Estimate
    one_round: bool = False  # from a single round, whose interval says nothing about other rounds
    margin: float = 0.0  # seconds: smaller differences do not count

    @property
    def tie(self) -> bool:
        """Whether neither is faster: the interval includes zero or is unknown, or the difference is within the
        margin."""
        low, high = self.seconds.low, self.seconds.high
        return low is None or high is None or low <= 0 <= high or abs(self.seconds.value) <= self.margin


@dataclass(frozen=True)
class RoleUsage:
    """The resource usage of all processes of one role."""

    role: str
    cpu_seconds_per_task: float
    peak_memory_bytes: int


@dataclass(frozen=True)
class Steady:
    """One contender at the steady rate."""

    contender: str
    trials: int  # valid ones
    tally: Tally
    spreads: Mapping[Measure, Spread]
    #: The mean seconds of each stage (submit, wait, execute, notify), which add up to the mean end-to-end latency.
    stages: Mapping[Measure, float]
    tasks_per_second: float | None
    requests_per_task: float | None
    usage: tuple[RoleUsage, ...]
    deepest_queue: int  # the most tasks that were accepted but not started at any moment


@dataclass(frozen=True)
class SweepPoint:
    """One contender at one rate of the sweep."""

    rate: float
    achieved: float  # throughput: tasks finished per second while load was offered
    p99: float  # end to end, of completed tasks; infinite if there are none
    submit_p99: float
    not_done: float  # the share of the offered tasks that were refused, dropped, failed or lost


@dataclass(frozen=True)
class Sweep:
    """One contender at all rates of the sweep."""

    contender: str
    points: tuple[SweepPoint, ...]
    #: The highest rate up to which throughput was at least 95 % of the offered load.
    knee: float | None
    #: The highest rate up to which the p99 stayed under the bound.
    within_bound: float | None
    bound: float


@dataclass(frozen=True)
class Burst:
    """One contender in a burst. Times are seconds from the burst until the client knew of so many completed tasks."""

    contender: str
    count: int
    to_half: float | None
    to_most: float | None  # 95 %
    to_all: float | None  # None: not all tasks completed
    answer_p99: float  # of submit, from sent to accepted; infinite if none was accepted
    not_done: int


@dataclass(frozen=True)
class Overload:
    """One contender at an offered load above the capacity of its workers."""

    contender: str
    offered: float  # tasks per second
    capacity: float
    goodput: float  # completed tasks per second during the overload
    refused: float  # the share of tasks refused with 503
    lost: int
    #: Seconds from the end of the overload until new tasks took at most twice as long as before it. None: latency did
    #: not recover while it was observed.
    recovery: float | None
    #: Goodput over time: seconds since the overload began, and tasks completed in that second.
    completed: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Soak:
    """The memory that each task leaves behind."""

    contender: str
    tasks: int
    seconds: float
    bytes_per_task: Mapping[str, float]  # by role


@dataclass(frozen=True)
class LeftOut:
    """A trial that is excluded from every metric, with the reasons."""

    trial: int
    contender: str
    mode: Mode
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Instrument:
    """The quality of the load generation, over all trials of a contender."""

    contender: str
    lateness_p99: float
    busiest_cpu_share: float
    offered: int
    dropped: int


@dataclass(frozen=True)
class MachineLoad:
    """The load on the machine from outside the run, in cores: 1.0 is one fully used core."""

    cores: int | None = None  # None: not recorded
    others: float = 0.0  # other programs, averaged over the valid trials
    steal: float = 0.0  # other virtual machines
    worst: float = 0.0  # both together, in the worst trial
    during: str = ""  # the contender of that trial
    null: Spread | None = None  # the submit latency of the null contender

    @property
    def was_shared(self) -> bool:
        """Whether other programs used enough CPU time to affect the latencies."""
        cores = self.cores or math.inf
        return self.others + self.steal > _SHARED * cores or self.worst > _SHARED_IN_A_TRIAL * cores

    @property
    def was_slow(self) -> bool:
        """Whether even the null contender was slow."""
        return self.null is not None and (self.null.p50.value > _SLOW_MEDIAN or self.null.p95.value > _SLOW_P95)


#: As shares of all cores, on average and in any one trial.
_SHARED, _SHARED_IN_A_TRIAL = 0.15, 0.3
#: Submit latencies of the null contender in seconds; on an idle machine it takes 1 to 3 ms.
_SLOW_MEDIAN, _SLOW_P95 = 0.005, 0.025


@dataclass(frozen=True)
class Findings:
    """All findings of a run."""

    record: RunRecord
    contenders: tuple[ContenderRecord, ...]  # those measured, in the order of the tables
    steady: tuple[Steady, ...]
    differences: tuple[Difference, ...]
    sweep: tuple[Sweep, ...]
    burst: tuple[Burst, ...]
    overload: tuple[Overload, ...]
    soak: tuple[Soak, ...]
    left_out: tuple[LeftOut, ...]
    instrument: tuple[Instrument, ...]
    trials: int
    warnings: tuple[str, ...]
    faults: tuple[FaultTrial, ...] = ()
    growth: GrowthFindings | None = None  # if the folder also has growth results
    machine: MachineLoad = MachineLoad()

    def steady_of(self, contender: str) -> Steady | None:
        """The findings of a contender at the steady rate, if it has any."""
        return next((steady for steady in self.steady if steady.contender == contender), None)

    def difference(self, measure: Measure, first: str, second: str) -> Difference | None:
        """The difference `first` minus `second`, if both were measured."""
        for difference in self.differences:
            if difference.measure is measure and {difference.first, difference.second} == {first, second}:
                return difference if difference.first == first else _reversed(difference)
        return None


def _reversed(difference: Difference) -> Difference:
    value, low, high = difference.seconds.value, difference.seconds.low, difference.seconds.high
    seconds = Estimate(-value, None if high is None else -high, None if low is None else -low)
    return replace(difference, first=difference.second, second=difference.first, seconds=seconds)
