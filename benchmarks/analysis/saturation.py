"""A contender near and beyond the capacity of its workers: sweep, burst and overload."""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from benchmarks.analysis.findings import Burst, Overload, Sweep, SweepPoint
from benchmarks.analysis.metrics import percentile, tasks_per_second
from benchmarks.records.run import Trial
from benchmarks.records.samples import Outcome, Phase, Sample

Rows = Mapping[int, Sequence[Sample]]  # by trial

#: The share of the offered load that a contender must complete to keep up.
_KEEPS_UP = 0.95
#: Latency has recovered when it is at most this multiple of the latency before the overload.
_RECOVERED = 2.0
#: So many tasks in a row must be that fast: a single one may be luck.
_IN_A_ROW = 5


def sweep(contender: str, trials: Sequence[Trial], rows: Rows, bound: float) -> Sweep:
    """All rates, with the trials of each rate pooled."""
    by_rate: dict[float, list[Trial]] = {}
    for trial in trials:
        by_rate.setdefault(trial.rate, []).append(trial)
    points = tuple(_point(rate, [rows[t.number] for t in trials_at]) for rate, trials_at in sorted(by_rate.items()))
    knee = within = None
    for point in points:
        if point.achieved < _KEEPS_UP * point.rate or point.not_done > 1 - _KEEPS_UP:
            break
        knee = point.rate
    for point in points:
        if point.p99 > bound or point.not_done > 1 - _KEEPS_UP:
            break
        within = point.rate
    return Sweep(contender, points, knee, within, bound)


def _point(rate: float, trials: Sequence[Sequence[Sample]]) -> SweepPoint:
    rows = [row for of_trial in trials for row in of_trial]
    measured = [row for row in rows if row.phase is Phase.MEASURED]
    done = [row for row in measured if row.outcome is Outcome.COMPLETED]
    return SweepPoint(
        rate=rate,
        achieved=tasks_per_second(rows) or 0.0,
        p99=_p99(row.end_to_end for row in done),
        submit_p99=_p99(row.submit_latency for row in measured if row.accepted is not None),
        not_done=1 - len(done) / len(measured) if measured else 1.0,
    )


def burst(contender: str, trials: Sequence[Trial], rows: Rows) -> Burst:
    """The medians over its trials."""
    bursts = [[row for row in rows[trial.number] if row.phase is Phase.MEASURED] for trial in trials]
    bursts = [samples for samples in bursts if samples]

    def until(share: float) -> float | None:
        times = [_time_to(samples, share) for samples in bursts]
        known = [time for time in times if time is not None]
        return median(known) if known and len(known) == len(times) else None

    return Burst(
        contender=contender,
        count=max((len(samples) for samples in bursts), default=0),
        to_half=until(50),
        to_most=until(95),
        to_all=until(100),
        # From sent, not from intended: in a burst, the time until the sender's turn is not the server's.
        answer_p99=_p99(
            row.accepted - row.sent
            for samples in bursts
            for row in samples
            if row.accepted is not None and row.sent is not None
        ),
        not_done=sum(row.outcome is not Outcome.COMPLETED for samples in bursts for row in samples),
    )


def _time_to(rows: Sequence[Sample], share: float) -> float | None:
    """Seconds from the burst until the client knew that this percentage of all tasks had completed."""
    began = min(row.intended for row in rows)
    done = sorted(row.notified - began for row in rows if row.outcome is Outcome.COMPLETED and row.notified is not None)
    needed = -(-len(rows) * share // 100)
    return done[int(needed) - 1] if len(done) >= needed else None


def overload(contender: str, trials: Sequence[Trial], rows: Rows) -> Overload | None:
    """The pooled trials; None if none of them offered load."""
    parts = [_Overloaded(rows[trial.number]) for trial in trials if rows[trial.number]]
    parts = [part for part in parts if part.measured]
    if not parts:
        return None
    measured = [row for part in parts for row in part.measured]
    recoveries = [part.recovery() for part in parts]
    known = [seconds for seconds in recoveries if seconds is not None]
    return Overload(
        contender=contender,
        offered=trials[0].rate,
        capacity=trials[0].capacity,
        goodput=sum(part.done for part in parts) / sum(part.seconds for part in parts),
        refused=sum(row.outcome is Outcome.REFUSED for row in measured) / len(measured),
        lost=sum(row.outcome is Outcome.LOST for part in parts for row in part.rows),
        recovery=median(known) if len(known) == len(recoveries) else None,
        completed=parts[0].each_second(),
    )


class _Overloaded:
    """One trial of the overload."""

    def __init__(self, rows: Sequence[Sample]) -> None:
        self.rows = rows
        self.measured = [row for row in rows if row.phase is Phase.MEASURED]
        moments = [row.intended for row in self.measured]
        self.began, self.ended = min(moments, default=0.0), max(moments, default=0.0)

    @property
    def seconds(self) -> float:
        """The duration of the overload."""
        return max(self.ended - self.began, 1e-9)

    @property
    def done(self) -> int:
        """The tasks completed during the overload."""
        return sum(self.began <= when <= self.ended for when in self._completions())

    def each_second(self) -> tuple[tuple[float, float], ...]:
        """The tasks completed in each second since the overload began."""
        counts: dict[int, int] = {}
        for when in self._completions():
            if when >= self.began:
                counts[int(when - self.began)] = counts.get(int(when - self.began), 0) + 1
        return tuple((float(second), float(counts.get(second, 0))) for second in range(max(counts, default=-1) + 1))

    def recovery(self) -> float | None:
        """Seconds from its end until latency has recovered; None if it did not."""
        before = [row.end_to_end for row in self.rows if row.phase is Phase.WARM_UP and row.end_to_end is not None]
        if not before:
            return None
        most = _RECOVERED * median(before)
        in_a_row, since = 0, 0.0
        for row in sorted((row for row in self.rows if row.phase is Phase.RECOVERY), key=lambda row: row.intended):
            quick = row.end_to_end is not None and row.end_to_end <= most
            if quick and in_a_row == 0:
                since = row.intended
            in_a_row = in_a_row + 1 if quick else 0
            if in_a_row == _IN_A_ROW:
                return max(0.0, since - self.ended)
        return None

    def _completions(self) -> list[float]:
        return [row.finished for row in self.rows if row.outcome is Outcome.COMPLETED and row.finished is not None]


def _p99(values: Iterable[float | None]) -> float:
    """The p99; infinite without values, because a client would wait forever."""
    ordered = sorted(value for value in values if value is not None)
    return percentile(ordered, 99) if ordered else math.inf
