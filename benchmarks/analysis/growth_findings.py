"""What a run of `kit bench growth` has shown, as data."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from benchmarks.analysis.measures import Estimate
from benchmarks.records.growth import Action, Axis, Expiry, GrowthRecord

#: The grown server is as fast as the small one if it is no slower than this.
FLAT = 1.10


class GrowthVerdict(StrEnum):
    """Whether more costs more."""

    FLAT = "flat"
    GROWS = "grows"  # even the low end of its interval is above what counts as flat
    UNCLEAR = "unclear"  # it was slower, but that may be chance


@dataclass(frozen=True)
class GrowthPoint:
    """One size: how long the small server took and the grown one, and the ratio of the two."""

    size: int
    small: float
    grown: float
    ratio: Estimate


@dataclass(frozen=True)
class GrowthLine:
    """One percentile of one request to one pattern, against the size of what grows."""

    pattern: str
    axis: Axis
    action: Action
    percent: float
    points: tuple[GrowthPoint, ...]
    #: The ratio's rise for each tenfold of the size, if `tenfold`; otherwise for each thousand more.
    slope: Estimate
    begin: float
    tenfold: bool

    def at(self, size: float) -> float:
        """The ratio that the line has there."""
        return self.begin + self.slope.value * (math.log10(size) if self.tenfold else size / 1000)

    @property
    def last(self) -> GrowthPoint:
        """The largest size."""
        return self.points[-1]

    @property
    def verdict(self) -> GrowthVerdict:
        """By the largest size."""
        ratio = self.last.ratio
        if ratio.value <= FLAT:
            return GrowthVerdict.FLAT
        return GrowthVerdict.GROWS if ratio.low is not None and ratio.low > FLAT else GrowthVerdict.UNCLEAR


@dataclass(frozen=True)
class MemoryPerItem:
    """The slope of one role's memory over the size of what grows."""

    pattern: str
    axis: Axis
    role: str
    bytes_per_item: float


@dataclass(frozen=True)
class SoakResult:
    """What stays of a task, beside what was meant to stay."""

    pattern: str
    tasks: int
    keeper: str
    record_bytes: float  # of a kept record, measured without any task
    kept_bytes: Mapping[str, float]  # that stay of a task while its record is kept, by role
    expired_bytes: Mapping[str, float]  # that stay of a task when its record has expired, by role
    handles: Mapping[str, int]  # more than before, by role
    threads: Mapping[str, int]

    @property
    def difference(self) -> float:
        """By what part of a record the keeper's growth per task differs from a record."""
        return self.kept_bytes[self.keeper] / self.record_bytes - 1


@dataclass(frozen=True)
class GrowthFindings:
    """Everything."""

    record: GrowthRecord
    lines: tuple[GrowthLine, ...]
    weights: tuple[MemoryPerItem, ...]
    expiries: tuple[Expiry, ...]
    soaks: tuple[SoakResult, ...]

    def of(self, axis: Axis, percent: float) -> list[GrowthLine]:
        """The lines of what grows, in the order in which they were measured."""
        return [line for line in self.lines if line.axis is axis and line.percent == percent]
