"""Two runs side by side: what got better, what got worse, and what nobody can tell apart."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from benchmarks.analysis.bootstrap import Values, percentile, relative_change
from benchmarks.analysis.findings import MEASURE_TITLES, Estimate, Measure
from benchmarks.analysis.steady import COMPARED, rounds_of
from benchmarks.analysis.validity import reasons
from benchmarks.run_record import Mode, RunFolder, RunRecord, Trial
from benchmarks.samples import Sample, read_samples

#: Less than this is measured by no client: a change of half of nothing is nothing.
_SMALLEST_SECONDS = 0.0002


class Verdict(StrEnum):
    """What became of a figure."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "same"  # the interval of the change includes none at all


@dataclass(frozen=True)
class Change:
    """One figure of one contender, before and after."""

    contender: str
    figure: str
    before: float  # seconds
    after: float
    change: Estimate  # as a part of what it was: 0.1 is a tenth more

    @property
    def verdict(self) -> Verdict:
        """Less is better in all that is compared."""
        low, high = self.change.low, self.change.high
        if low is None or high is None or low <= 0 <= high or abs(self.after - self.before) < _SMALLEST_SECONDS:
            return Verdict.SAME
        return Verdict.WORSE if self.change.value > 0 else Verdict.BETTER


@dataclass(frozen=True)
class Compared:
    """Everything that both runs have."""

    before: RunRecord
    after: RunRecord
    changes: tuple[Change, ...]
    #: What makes the comparison one of two things at once: another machine, other settings.
    differ_in: tuple[str, ...]

    def regressions(self, bound: float) -> list[Change]:
        """What got worse by more than the bound, as a part of what it was."""
        return [one for one in self.changes if one.verdict is Verdict.WORSE and one.change.value > bound]


@dataclass(frozen=True)
class _Side:
    record: RunRecord
    rows: dict[int, list[Sample]]

    @classmethod
    def read(cls, folder: RunFolder) -> "_Side":
        record = folder.read_record()
        rows: dict[int, list[Sample]] = {trial.number: [] for trial in record.trials}
        packed = folder.packed_samples
        for sample in read_samples(packed if packed.exists() else folder.samples):
            rows.setdefault(sample.trial, []).append(sample)
        return cls(record, rows)

    def trials(self, contender: str) -> list[Trial]:
        return [
            trial
            for trial in self.record.trials
            if trial.contender == contender
            and trial.mode is Mode.STEADY
            and not reasons(trial, self.rows[trial.number])
        ]


def compare(before: RunFolder, after: RunFolder) -> Compared:
    """Raises `RunError` and `SamplesError` when one of them is no run."""
    old, new = _Side.read(before), _Side.read(after)
    known = {one.name for one in new.record.contenders}
    names = [one.name for one in old.record.contenders if one.name in known]
    changes = tuple(change for name in names for change in _changes(name, old, new))
    return Compared(old.record, new.record, changes, tuple(_differ_in(old.record, new.record)))


def _changes(name: str, old: _Side, new: _Side) -> Iterator[Change]:
    for measure, percent in [*((measure, 50) for measure in COMPARED), (Measure.END_TO_END, 99)]:
        rounds = [rounds_of(side.trials(name), side.rows, measure) for side in (old, new)]
        if all(rounds):
            before, after = (_pooled(some, percent) for some in rounds)
            change = relative_change(rounds[0], rounds[1], percent, old.record.seed)
            yield Change(name, f"{MEASURE_TITLES[measure]} p{percent}", before, after, change)


def _pooled(rounds: Sequence[Values], percent: float) -> float:
    return percentile(np.concatenate(list(rounds)), percent)


def _differ_in(old: RunRecord, new: RunRecord) -> Iterator[str]:
    for name in ("processor", "cores", "python", "kernel"):
        if old.host.get(name) != new.host.get(name):
            yield f"{name}: {old.host.get(name)}, then {new.host.get(name)}"
    for name in ("rate", "workers", "work_seconds", "poll_interval", "arrivals", "workload"):
        if old.settings.get(name) != new.settings.get(name):
            yield f"{name}: {old.settings.get(name)}, then {new.settings.get(name)}"
    for name in sorted(set(old.versions) | set(new.versions)):
        if old.versions.get(name) != new.versions.get(name):
            yield f"{name}: {old.versions.get(name)}, then {new.versions.get(name)}"
