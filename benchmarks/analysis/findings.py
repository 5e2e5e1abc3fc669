"""What a run has shown, as data: every number of every report is here, and nothing else is.

Seconds, bytes, tasks per second. Where a number is known with an interval, it is one of 95 %.
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
    """The median of the first contender less that of the second, of tasks that were sent at the same moments."""

    measure: Measure
    first: str
    second: str
    seconds: Estimate
    one_round: bool = False  # of a single round, whose intervals say nothing of another one
    margin: float = 0.0  # seconds: a difference up to this decides nothing

    @property
    def tie(self) -> bool:
        """Whether neither is better: the interval includes zero or is unknown, or a single round has shown a difference
        that does not matter."""
        low, high = self.seconds.low, self.seconds.high
        return low is None or high is None or low <= 0 <= high or abs(self.seconds.value) <= self.margin


@dataclass(frozen=True)
class RoleUsage:
    """What the processes of one role used."""

    role: str
    cpu_seconds_per_task: float
    peak_memory_bytes: int


@dataclass(frozen=True)
class Steady:
    """One contender at the given rate."""

    contender: str
    trials: int  # valid ones
    tally: Tally
    spreads: Mapping[Measure, Spread]
    #: The mean seconds of each stage: submit, wait, execute, notify. They add up to the mean end to end.
    stages: Mapping[Measure, float]
    tasks_per_second: float | None
    requests_per_task: float | None
    usage: tuple[RoleUsage, ...]
    deepest_queue: int  # tasks that were accepted and not started, at the worst moment


@dataclass(frozen=True)
class SweepPoint:
    """One contender at one of the rates."""

    rate: float
    achieved: float  # tasks finished per second while load was offered
    p99: float  # end to end, of those that were done; infinite if none was
    submit_p99: float
    not_done: float  # the share of the offered tasks that were refused, dropped, failed or lost


@dataclass(frozen=True)
class Sweep:
    """One contender at all rates."""

    contender: str
    points: tuple[SweepPoint, ...]
    #: The highest rate up to which it kept up: achieved at least 95 % of what was offered.
    knee: float | None
    #: The highest rate up to which its p99 stayed under the bound.
    within_bound: float | None
    bound: float


@dataclass(frozen=True)
class Burst:
    """One contender, when many tasks came at once. Seconds from the burst until so many were known to be done."""

    contender: str
    count: int
    to_half: float | None
    to_most: float | None  # 95 %
    to_all: float | None  # None: some were refused or lost
    answer_p99: float  # of submit, from the sent moment; infinite if none was accepted
    not_done: int


@dataclass(frozen=True)
class Overload:
    """One contender, offered more than its workers can do."""

    contender: str
    offered: float  # tasks per second
    capacity: float
    goodput: float  # completed per second, while it was overloaded
    refused: float  # the share that got a 503
    lost: int
    #: Seconds from the end of the overload until a new task took no longer than twice as long as before it. None: it
    #: did not come back while it was watched.
    recovery: float | None
    #: Seconds since the overload began, and tasks completed in that second: what goodput looks like over time.
    completed: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Soak:
    """What stays in memory of each task."""

    contender: str
    tasks: int
    seconds: float
    bytes_per_task: Mapping[str, float]  # by role


@dataclass(frozen=True)
class LeftOut:
    """A trial that is in no metric, and why."""

    trial: int
    contender: str
    mode: Mode
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Instrument:
    """How well the load process did, over all trials of a contender."""

    contender: str
    lateness_p99: float
    busiest_cpu_share: float
    offered: int
    dropped: int


@dataclass(frozen=True)
class MachineLoad:
    """What the machine had to do beside the run. In cores: 1.0 is one core, all the time."""

    cores: int | None = None  # None: it was not looked at
    others: float = 0.0  # other programs, on average over the valid trials
    steal: float = 0.0  # other virtual machines
    worst: float = 0.0  # both together, in the worst trial
    during: str = ""  # whose trial that was
    null: Spread | None = None  # how long the null contender took to answer submit

    @property
    def was_shared(self) -> bool:
        """Whether others used so much of the processors that times are partly theirs."""
        cores = self.cores or math.inf
        return self.others + self.steal > _SHARED * cores or self.worst > _SHARED_IN_A_TRIAL * cores

    @property
    def was_slow(self) -> bool:
        """Whether even the null contender, which does no work, was slow."""
        return self.null is not None and (self.null.p50.value > _SLOW_MEDIAN or self.null.p95.value > _SLOW_P95)


#: Shares of all cores, on average and in any one trial; and seconds: on an idle machine it answers within 1 to 3 ms.
_SHARED, _SHARED_IN_A_TRIAL = 0.15, 0.3
_SLOW_MEDIAN, _SLOW_P95 = 0.005, 0.025


@dataclass(frozen=True)
class Findings:
    """Everything."""

    record: RunRecord
    contenders: tuple[ContenderRecord, ...]  # that were measured, in the order of the tables
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
    growth: GrowthFindings | None = None  # if the folder has such results too
    machine: MachineLoad = MachineLoad()

    def steady_of(self, contender: str) -> Steady | None:
        """One contender at the given rate, if it was measured there."""
        return next((steady for steady in self.steady if steady.contender == contender), None)

    def difference(self, measure: Measure, first: str, second: str) -> Difference | None:
        """How two differ, if both were measured; always as `first` less `second`."""
        for difference in self.differences:
            if difference.measure is measure and {difference.first, difference.second} == {first, second}:
                return difference if difference.first == first else _reversed(difference)
        return None


def _reversed(difference: Difference) -> Difference:
    value, low, high = difference.seconds.value, difference.seconds.low, difference.seconds.high
    seconds = Estimate(-value, None if high is None else -high, None if low is None else -low)
    return replace(difference, first=difference.second, second=difference.first, seconds=seconds)
