"""Who is better, as far as the run can tell: of two that tie, neither is."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from benchmarks.analysis.findings import Findings
from benchmarks.analysis.measures import Estimate, Measure
from benchmarks.analysis.metrics import Tally
from benchmarks.records.run import Mode

#: What is said where one round has seen less than what matters (`benchmarks.analysis.margin`).
TOO_CLOSE = "too close to call in one round"

#: What may become of a task that is the server's doing, and how it is told.
_TROUBLES = {
    "lost": "lost",
    "failed": "failed",
    "errors": "answered with an error",
    "refused": "refused",
    "twice": "given out or told twice",
}


def troubles(tally: Tally) -> list[str]:
    """What went wrong with the tasks, none of which was to: `3 lost`."""
    found = {words: getattr(tally, name) for name, words in _TROUBLES.items()}
    return [f"{count:,} {words}" for words, count in found.items() if count]


def sound(findings: Findings, names: Sequence[str]) -> tuple[str, ...]:
    """Those that were measured at the given rate and did what they were asked: only these are ever recommended."""
    steady = [findings.steady_of(name) for name in names]
    return tuple(one.contender for one in steady if one and not troubles(one.tally))


def without_figures(findings: Findings, names: Sequence[str]) -> tuple[str, ...]:
    """Those of which every trial at the given rate was left out. They may be the best: who leads the others has not
    won."""
    tried = {one.contender for one in findings.left_out if one.mode is Mode.STEADY}
    return tuple(name for name in names if name in tried and findings.steady_of(name) is None)


@dataclass(frozen=True)
class Step:
    """By how much one is behind another, which ties with nobody that it is behind of."""

    name: str
    ahead: str
    seconds: Estimate


@dataclass(frozen=True)
class Ranking:
    """Contenders by the median of one measure."""

    measure: Measure
    medians: dict[str, Estimate]  # the lowest first
    best: tuple[str, ...]  # those whom nobody beats: with more than one, they tie
    behind: tuple[Step, ...]  # the others
    known: bool  # whether any difference has an interval; otherwise the run is too short to tell
    one_round: bool  # whether any difference is of a single round

    @property
    def undecided(self) -> bool:
        """Whether nobody is behind anybody."""
        return len(self.names) > 1 and len(self.best) == len(self.names)

    @property
    def tie(self) -> str:
        """What several that are not behind each other are."""
        return TOO_CLOSE if self.one_round else "a tie"

    @property
    def names(self) -> tuple[str, ...]:
        """All, the lowest median first."""
        return tuple(self.medians)

    @property
    def leads(self) -> bool:
        """Whether one is quicker than each of the others."""
        return len(self.best) == 1 and {step.ahead for step in self.behind} == set(self.best)


def ranking(findings: Findings, names: Sequence[str], measure: Measure) -> Ranking:
    """Ranks by differences, not by medians: a lower median within the noise is no lead."""
    medians = _medians(findings, names, measure)
    steps: dict[str, Step] = {}
    known = one_round = False
    for one, other in combinations(medians, 2):
        found = findings.difference(measure, one, other)
        if found is None:
            continue
        one_round = one_round or found.one_round
        known = known or (found.seconds.low is not None and found.seconds.high is not None)
        if not found.tie:
            ahead, behind = (one, other) if found.seconds.value < 0 else (other, one)
            difference = findings.difference(measure, behind, ahead)
            if difference is not None and behind not in steps:
                steps[behind] = Step(behind, ahead, difference.seconds)
    best = tuple(name for name in medians if name not in steps)
    return Ranking(measure, medians, best, tuple(steps[name] for name in medians if name in steps), known, one_round)


def _medians(findings: Findings, names: Sequence[str], measure: Measure) -> dict[str, Estimate]:
    found = {}
    for name in names:
        steady = findings.steady_of(name)
        if steady and measure in steady.spreads:
            found[name] = steady.spreads[measure].p50
    return dict(sorted(found.items(), key=lambda item: item[1].value))
