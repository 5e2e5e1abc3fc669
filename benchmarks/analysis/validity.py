"""Whether a trial is valid: the load process is an instrument, and must have been fit to measure.

Each check compares two things that were counted apart. A trial that fails a check is in no metric.
"""

from collections.abc import Sequence

from benchmarks.analysis.metrics import percentile
from benchmarks.records.run import Mode, Trial
from benchmarks.records.samples import Outcome, Phase, Sample

#: The offered rate must be held: so large a part of the tasks may be missing.
_MOST_MISSING = 0.01
#: How late the load process may send, in seconds: p99.
_MOST_LATE_SECONDS = 0.05
#: A burst has one moment for all, and no sender is on time with all: it may take so large a part of the whole burst.
_MOST_OF_A_BURST = 0.05
#: Above this share of a core the load process itself is what is measured.
_MOST_CPU_SHARE = 0.9
#: How far the two counts of Little's law may lie apart: as a part of them, and in seconds for each task.
_MOST_APART, _EACH_SECONDS = 0.02, 0.005
#: The clock of the moments may be set by so many seconds during a trial.
_MOST_CLOCK_STEP_SECONDS = 0.005
#: Client and server read one clock; a moment may be before the one that it follows by so much (rounding).
_BACKWARDS_SECONDS = 0.002


def invalid_reasons(trial: Trial, rows: Sequence[Sample]) -> tuple[str, ...]:
    """Why a trial is invalid, each in a line; none if it is not."""
    if trial.failure:
        return (trial.failure,)
    if trial.load is None:
        return ("it was stopped before its end",)
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
        return [f"{sent} of {trial.count} tasks were sent ({dropped} dropped): the rate was not held within 1 %"]
    times = [row.sent for row in measured if row.sent is not None]
    if trial.rate and len(times) > 1 and trial.duration:
        # The tasks of a Poisson process do not fill its time to the edges: what counts is how much later all were sent.
        intended = [row.intended for row in measured if row.sent is not None]
        stretched = (
            (max(times) - min(times)) / (max(intended) - min(intended)) - 1 if max(intended) > min(intended) else 0.0
        )
        if abs(stretched) > _MOST_MISSING:
            return [f"the tasks took {stretched:+.1%} of the time to send: the rate was not held within 1 %"]
    return []


def _lateness(trial: Trial, rows: Sequence[Sample]) -> list[str]:
    measured = [row for row in rows if row.phase is Phase.MEASURED]
    late = sorted(row.lateness for row in measured if row.lateness is not None)
    if not late:
        return []
    p99 = percentile(late, 99)
    if trial.mode is not Mode.BURST:
        return [f"the load process was late itself: p99 {1000 * p99:.0f} ms"] if p99 > _MOST_LATE_SECONDS else []
    whole = max((row.ended for row in measured if row.ended is not None), default=0.0) - measured[0].intended
    if p99 > _MOST_OF_A_BURST * whole:
        return [f"the load process was still sending {1000 * p99:.0f} ms after a burst of {1000 * whole:.0f} ms began"]
    return []


def _cpu(trial: Trial) -> list[str]:
    assert trial.load  # noqa: S101 the caller has looked
    share = trial.load.busiest_cpu_share
    return [f"the load process needed {share:.0%} of a core"] if share > _MOST_CPU_SHARE else []


def _littles_law(trial: Trial, rows: Sequence[Sample]) -> list[str]:
    """In flight on average = rate times time in flight; both sides times the trial's length, so it holds for any."""
    assert trial.load  # noqa: S101 the caller has looked
    begun = [row for row in rows if row.sent is not None]
    if trial.load.tasks != len(begun):
        return [f"the load process has begun {trial.load.tasks} tasks, and there are rows of {len(begun)}"]
    seconds = sum(row.ended - row.sent for row in begun if row.ended is not None and row.sent is not None)
    counted = trial.load.task_seconds
    if abs(counted - seconds) > _MOST_APART * max(counted, seconds) + _EACH_SECONDS * len(begun):
        return [f"Little's law does not hold: {counted:.2f} task-seconds were counted, and the rows have {seconds:.2f}"]
    return []


def _clock(trial: Trial, rows: Sequence[Sample]) -> list[str]:
    assert trial.load  # noqa: S101 the caller has looked
    reasons = []
    if abs(trial.load.clock_step_seconds) > _MOST_CLOCK_STEP_SECONDS:
        reasons.append(f"the clock was set by {1000 * trial.load.clock_step_seconds:+.1f} ms meanwhile")
    backwards = sum(any(gap < -_BACKWARDS_SECONDS for gap in _gaps(row)) for row in rows)
    if backwards > _MOST_MISSING * len(rows):
        reasons.append(f"in {backwards} tasks a moment is before the one that it follows: the clocks differ")
    return reasons


def _gaps(row: Sample) -> list[float]:
    pairs = ((row.intended, row.sent), (row.sent, row.accepted), (row.sent, row.started), (row.started, row.finished),
             (row.finished, row.notified))  # fmt: skip
    return [later - earlier for earlier, later in pairs if earlier is not None and later is not None]
