"""The findings of a run of `kit bench growth`, as data."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from benchmarks.analysis.measures import Estimate
from benchmarks.records.growth import Action, Axis, Expiry, GrowthRecord

#: The largest ratio to the small server that counts as equally fast.
FLAT = 1.10


class GrowthVerdict(StrEnum):
    """Whether latency grows with the size."""

    FLAT = "flat"
    GROWS = "grows"  # even the low end of the interval is above `FLAT`
    UNCLEAR = "unclear"  # the ratio is above `FLAT`, but that may be chance


@dataclass(frozen=True)
class GrowthPoint:
    """The latencies of the small and the grown server at one size, in seconds, and their ratio."""

    size: int
    small: float
    grown: float
    ratio: Estimate


@dataclass(frozen=True)
class GrowthLine:
    """The ratio of one percentile of one request to one pattern, as a function of the size."""

    pattern: str
    axis: Axis
    action: Action
    percent: float
    points: tuple[GrowthPoint, ...]
    #: The increase of the ratio per tenfold of the size if `tenfold`, else per thousand.
    slope: Estimate
    intercept: float
    tenfold: bool

    def at(self, size: float) -> float:
        """The ratio on the line at this size."""
        return self.intercept + self.slope.value * (math.log10(size) if self.tenfold else size / 1000)

    @property
    def last(self) -> GrowthPoint:
        """The point at the largest size."""
        return self.points[-1]

    @property
    def verdict(self) -> GrowthVerdict:
        """The verdict at the largest size."""
        ratio = self.last.ratio
        if ratio.value <= FLAT:
            return GrowthVerdict.FLAT
        return GrowthVerdict.GROWS if ratio.low is not None and ratio.low > FLAT else GrowthVerdict.UNCLEAR


@dataclass(frozen=True)
class MemoryPerItem:
    """The memory of one role per item on one axis."""

    pattern: str
    axis: Axis
    role: str
    bytes_per_item: float


@dataclass(frozen=True)
class SoakResult:
    """The memory that a task leaves behind, compared with the size of its record."""

    pattern: str
    tasks: int
    keeper: str  # the role that keeps the records
    record_bytes: float  # of a record, measured without any task
    kept_bytes: Mapping[str, float]  # per task while its record is kept, by role
    expired_bytes: Mapping[str, float]  # per task after its record has expired, by role
    handles: Mapping[str, int]  # the increase, by role
    threads: Mapping[str, int]

    @property
    def difference(self) -> float:
        """The relative difference between the keeper's growth per task and the size of a record."""
        return self.kept_bytes[self.keeper] / self.record_bytes - 1


@dataclass(frozen=True)
class GrowthFindings:
    """All findings of a growth run."""

    record: GrowthRecord
    lines: tuple[GrowthLine, ...]
    weights: tuple[MemoryPerItem, ...]
    expiries: tuple[Expiry, ...]
    soaks: tuple[SoakResult, ...]

    def of(self, axis: Axis, percent: float) -> list[GrowthLine]:
        """The lines of one axis and percentile, in the order of measurement."""
        return [line for line in self.lines if line.axis is axis and line.percent == percent]
