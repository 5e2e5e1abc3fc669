"""Compares two runs: which metrics got better, which got worse, and which changed only within the noise."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from benchmarks.analysis.analyse_run import samples_by_trial
from benchmarks.analysis.bootstrap import Values, percentile, relative_change
from benchmarks.analysis.margin import NOISE_MEASURE, margin
from benchmarks.analysis.measures import MEASURE_TITLES, Estimate, Measure
from benchmarks.analysis.steady_rate import COMPARED, rounds_of
from benchmarks.analysis.validity import invalid_reasons
from benchmarks.records.run import Mode, RunFolder, RunRecord, Trial
from benchmarks.records.samples import Sample, read_samples

#: Smaller changes are irrelevant to any client, whatever their ratio.
_SMALLEST_SECONDS = 0.0002


class ChangeVerdict(StrEnum):
    """How a metric changed."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "same"  # the interval includes zero, or the change is within the margin
    UNKNOWN = ""  # the machine changed as well


@dataclass(frozen=True)
class Change:
    """A metric of a contender, before and after."""

    contender: str
    metric: str
    before: float  # seconds
    after: float
    change: Estimate  # relative: 0.1 is an increase of 10 %
    margin: float = _SMALLEST_SECONDS  # seconds: smaller changes do not count
    machine_changed: bool = False  # the machine may have caused the change

    @property
    def verdict(self) -> ChangeVerdict:
        """The verdict; for every compared metric, less is better."""
        if self.machine_changed:
            return ChangeVerdict.UNKNOWN
        low, high = self.change.low, self.change.high
        if low is None or high is None or low <= 0 <= high or abs(self.after - self.before) < self.margin:
            return ChangeVerdict.SAME
        return ChangeVerdict.WORSE if self.change.value > 0 else ChangeVerdict.BETTER


@dataclass(frozen=True)
class RunComparison:
    """The changes of everything that both runs measured."""

    before: RunRecord
    after: RunRecord
    changes: tuple[Change, ...]
    #: Differences in machine, settings or versions, which may have caused the changes.
    differ_in: tuple[str, ...]
    #: How the null contender changed, if by more than the bound, in one line.
    machine_changed: str = ""
    #: What could not be checked, in one line.
    unchecked: str = ""

    def regressions(self, bound: float) -> list[Change]:
        """The metrics that got worse by more than the bound, which is relative."""
        return [each for each in self.changes if each.verdict is ChangeVerdict.WORSE and each.change.value > bound]


@dataclass(frozen=True)
class _Side:
    record: RunRecord
    rows: dict[int, list[Sample]]

    @classmethod
    def read(cls, folder: RunFolder) -> "_Side":
        record = folder.read_record()
        packed = folder.packed_samples
        samples = read_samples(packed if packed.exists() else folder.samples)
        return cls(record, samples_by_trial(record, samples))

    def trials(self, contender: str) -> list[Trial]:
        return [
            trial
            for trial in self.record.trials
            if trial.contender == contender
            and trial.mode is Mode.STEADY
            and not invalid_reasons(trial, self.rows[trial.number])
        ]

    def noise(self) -> float:
        """The noise of the null contender, as `margin` defines it."""
        nulls = [contender.name for contender in self.record.contenders if contender.kind == "null"]
        rounds = [values for name in nulls for values in rounds_of(self.trials(name), self.rows, NOISE_MEASURE)]
        return _pooled(rounds, 95) - _pooled(rounds, 50) if rounds else 0.0


def compare_runs(before: RunFolder, after: RunFolder, bound: float) -> RunComparison:
    """Compare two runs. If the null contender changed by more than the bound, which is relative, so did the machine,
    and nothing is called better or worse.

    Raises `RunError` and `SamplesError` if a run cannot be read.
    """
    old, new = _Side.read(before), _Side.read(after)
    in_new = {contender.name for contender in new.record.contenders}
    names = [contender.name for contender in old.record.contenders if contender.name in in_new]
    changes = tuple(change for name in names for change in _changes(name, old, new))
    nulls = {contender.name for contender in old.record.contenders if contender.kind == "null"}
    null = [change for change in changes if change.contender in nulls]
    moved = _null_change(null, bound)
    if moved:
        changes = tuple(replace(change, machine_changed=True) for change in changes)
    unchecked = "" if null else (
        "The null contender was not measured in both runs, so a change of the machine cannot be detected."
    )  # fmt: skip
    return RunComparison(old.record, new.record, changes, tuple(_differ_in(old.record, new.record)), moved, unchecked)


def _null_change(null: Sequence[Change], bound: float) -> str:
    """The message if a median of the null contender changed: it does no work, so the machine caused it."""
    medians = [change for change in null if change.metric.endswith("p50")]
    moved = [
        each
        for each in medians
        if abs(each.change.value) > bound and abs(each.after - each.before) >= _SMALLEST_SECONDS
    ]
    if not moved:
        return ""
    first = moved[0]  # submit, if it changed: a single request
    return (
        f"The machine changed: the null contender, which does no work, took {1000 * first.before:.3g} ms before and "
        f"{1000 * first.after:.3g} ms after ({first.metric}, {first.change.value:+.0%}). No verdict is given: repeat "
        f"both runs on an idle machine."
    )


def _changes(name: str, old: _Side, new: _Side) -> Iterator[Change]:
    noise = max(side.noise() for side in (old, new))
    for measure, percent in [*((measure, 50) for measure in COMPARED), (Measure.END_TO_END, 99)]:
        rounds = [rounds_of(side.trials(name), side.rows, measure) for side in (old, new)]
        if all(rounds):
            before, after = (_pooled(side, percent) for side in rounds)
            if not before:
                continue  # no relative change of zero
            change = relative_change(rounds[0], rounds[1], percent, old.record.seed)
            one_round = min(map(len, rounds)) == 1
            least = margin(before, after, noise) if one_round else _SMALLEST_SECONDS
            yield Change(name, f"{MEASURE_TITLES[measure]} p{percent}", before, after, change, least)


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
