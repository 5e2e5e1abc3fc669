"""Whether a trial is valid: the load process is a measuring instrument and must have worked correctly.

Each check compares two independent counts. A trial that fails a check is excluded from every metric.
"""

from collections.abc import Sequence

from benchmarks.analysis.metrics import percentile
from benchmarks.records.run import Mode, Trial
from benchmarks.records.samples import Outcome, Phase, Sample

#: The largest share of missing tasks at which the offered rate counts as held.
_MOST_MISSING = 0.01
#: The largest lateness of the load process, as p99.
_MOST_LATE_SECONDS = 0.05
#: All tasks of a burst are due at once, so its lateness is limited to this share of its duration.
_MOST_OF_A_BURST = 0.05
#: Above this share of a core, the load process itself is the bottleneck.
_MOST_CPU_SHARE = 0.9
#: The largest discrepancy in Little's law: as a share, and in seconds per task.
_MOST_APART, _EACH_SECONDS = 0.02, 0.005
#: The largest step of the clock during a trial.
_MOST_CLOCK_STEP_SECONDS = 0.005
#: The largest reversal of two moments: client and server read the same clock, but round it.
_BACKWARDS_SECONDS = 0.002


def invalid_reasons(trial: Trial, rows: Sequence[Sample]) -> tuple[str, ...]:
    """The reasons why a trial is invalid, one line each; empty if it is valid."""
    if trial.failure:
        return (trial.failure,)
    if trial.load is None:
        return ("it was interrupted",)
    return (
        *_rate(trial, rows),
        *_lateness(trial, rows),
        *_cpu(trial),
        *_littles_law(trial, rows),
        *_clock(trial, rows),
    )


def _rate(trial: Trial, rows: Sequence[Sample]) -> list[str]:
    measured = [row for row in rows if row.phase is Phase.MEASURED]
    sent = sum(row.outcome is not Outcome.DROPPED for row in measured)
    if trial.count - sent > _MOST_MISSING * trial.count:
        dropped = len(measured) - sent
        return [f"only {sent} of {trial.count} tasks were sent ({dropped} dropped), less than 99 %"]
    times = [row.sent for row in measured if row.sent is not None]
    if trial.rate and len(times) > 1 and trial.duration:
        # Poisson arrivals do not span the whole duration, so the sent times are compared with the intended ones.
        intended = [row.intended for row in measured if row.sent is not None]
        stretched = (
            (max(times) - min(times)) / (max(intended) - min(intended)) - 1 if max(intended) > min(intended) else 0.0
        )
        if abs(stretched) > _MOST_MISSING:
            return [f"the time to send all tasks was off by {stretched:+.1%}: the rate was not held within 1 %"]
    return []


def _lateness(trial: Trial, rows: Sequence[Sample]) -> list[str]:
    measured = [row for row in rows if row.phase is Phase.MEASURED]
    late = sorted(row.lateness for row in measured if row.lateness is not None)
    if not late:
        return []
    p99 = percentile(late, 99)
    if trial.mode is not Mode.BURST:
        return [f"the load process sent late: p99 {1000 * p99:.0f} ms"] if p99 > _MOST_LATE_SECONDS else []
    burst = max((row.ended for row in measured if row.ended is not None), default=0.0) - measured[0].intended
    if p99 > _MOST_OF_A_BURST * burst:
        return [f"the load process was still sending {1000 * p99:.0f} ms into a burst of {1000 * burst:.0f} ms"]
    return []


def _cpu(trial: Trial) -> list[str]:
    assert trial.load  # noqa: S101 the caller has looked
    share = trial.load.busiest_cpu_share
    return [f"the load process used {share:.0%} of a core"] if share > _MOST_CPU_SHARE else []


def _littles_law(trial: Trial, rows: Sequence[Sample]) -> list[str]:
    """Tasks in flight = rate x time in flight; both sides are multiplied by the length of the trial."""
    assert trial.load  # noqa: S101 the caller has looked
    sent = [row for row in rows if row.sent is not None]
    if trial.load.tasks != len(sent):
        return [f"the load process sent {trial.load.tasks} tasks but wrote {len(sent)} rows"]
    seconds = sum(row.ended - row.sent for row in sent if row.ended is not None and row.sent is not None)
    counted = trial.load.task_seconds
    if abs(counted - seconds) > _MOST_APART * max(counted, seconds) + _EACH_SECONDS * len(sent):
        return [f"Little's law does not hold: {counted:.2f} task-seconds were counted, but the rows have {seconds:.2f}"]
    return []


def _clock(trial: Trial, rows: Sequence[Sample]) -> list[str]:
    assert trial.load  # noqa: S101 the caller has looked
    reasons = []
    if abs(trial.load.clock_step_seconds) > _MOST_CLOCK_STEP_SECONDS:
        reasons.append(f"the clock was stepped by {1000 * trial.load.clock_step_seconds:+.1f} ms")
    backwards = sum(any(gap < -_BACKWARDS_SECONDS for gap in _gaps(row)) for row in rows)
    if backwards > _MOST_MISSING * len(rows):
        reasons.append(f"the moments of {backwards} tasks are out of order: the clocks differ")
    return reasons


def _gaps(row: Sample) -> list[float]:
    pairs = ((row.intended, row.sent), (row.sent, row.accepted), (row.sent, row.started), (row.started, row.finished),
             (row.finished, row.notified))  # fmt: skip
    return [later - earlier for earlier, later in pairs if earlier is not None and later is not None]
