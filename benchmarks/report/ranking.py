"""Which contender is faster, as far as the run can tell: a lead within the noise is a tie."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from benchmarks.analysis.findings import Findings
from benchmarks.analysis.measures import Estimate, Measure

#: The verdict on a lead in a single round that is too small to matter (`benchmarks.analysis.margin`).
TOO_CLOSE = "too close to call in one round"


@dataclass(frozen=True)
class Gap:
    """How much slower a contender is than the one ahead of it."""

    name: str
    ahead: str
    seconds: Estimate


@dataclass(frozen=True)
class Ranking:
    """Contenders by the median of one measure."""

    measure: Measure
    medians: dict[str, Estimate]  # the lowest first
    best: tuple[str, ...]  # slower than no other; several are tied
    behind: tuple[Gap, ...]  # the others
    known: bool  # whether any difference has an interval; otherwise the run is too short to tell
    one_round: bool  # whether any difference comes from a single round

    @property
    def undecided(self) -> bool:
        """Whether several were measured and all are tied."""
        return len(self.names) > 1 and len(self.best) == len(self.names)

    @property
    def tie(self) -> str:
        """The words for several best contenders."""
        return TOO_CLOSE if self.one_round else "tied"

    @property
    def names(self) -> tuple[str, ...]:
        """All contenders, the lowest median first."""
        return tuple(self.medians)

    @property
    def leads(self) -> bool:
        """Whether a single contender is faster than every other."""
        return len(self.best) == 1 and {gap.ahead for gap in self.behind} == set(self.best)


def rank(findings: Findings, names: Sequence[str], measure: Measure) -> Ranking:
    """Rank by paired differences, not by medians: a lower median within the noise is no lead."""
    medians = _medians(findings, names, measure)
    gaps: dict[str, Gap] = {}
    known = one_round = False
    for first, second in combinations(medians, 2):
        difference = findings.difference(measure, first, second)
        if difference is None:
            continue
        one_round = one_round or difference.one_round
        known = known or (difference.seconds.low is not None and difference.seconds.high is not None)
        if not difference.tie:
            ahead, behind = (first, second) if difference.seconds.value < 0 else (second, first)
            gap = findings.difference(measure, behind, ahead)
            if gap is not None and behind not in gaps:
                gaps[behind] = Gap(behind, ahead, gap.seconds)
    best = tuple(name for name in medians if name not in gaps)
    return Ranking(measure, medians, best, tuple(gaps[name] for name in medians if name in gaps), known, one_round)


def median_of(findings: Findings, name: str, measure: Measure) -> Estimate | None:
    """A contender's median of one measure at the steady rate; None if it was not measured."""
    steady = findings.steady_of(name)
    return steady.spreads[measure].p50 if steady and measure in steady.spreads else None


def _medians(findings: Findings, names: Sequence[str], measure: Measure) -> dict[str, Estimate]:
    medians = {name: median for name in names if (median := median_of(findings, name, measure))}
    return dict(sorted(medians.items(), key=lambda item: item[1].value))
