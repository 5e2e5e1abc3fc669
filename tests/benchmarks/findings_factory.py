"""Creates findings in which no two numbers are equal, so that a number in the wrong place is noticed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from benchmarks.analysis.findings import (
    Burst,
    Difference,
    Overload,
    RoleUsage,
    Soak,
    Steady,
    Sweep,
    SweepPoint,
)
from benchmarks.analysis.measures import Estimate, Measure, Spread
from benchmarks.analysis.metrics import Tally
from benchmarks.records.run import ContenderRecord, Mode, RunRecord, Trial
from patterns import PATTERNS
from patterns.contract.descriptor import Question

COUNT = 960
WELL = Tally(COUNT, COUNT, COUNT, 0, 0, 0, 0, 0, 0, 0)

#: Seconds: submit, wait, execution, notification lag.
STAGES: Mapping[str, tuple[float, float, float, float]] = {
    "background_tasks": (0.00243, 0.00081, 1.0301, 0.1391),
    "celery_queue": (0.00451, 0.00322, 1.0312, 0.1302),
    "in_memory_queue": (0.00212, 0.00093, 1.0303, 0.1424),
    "polling": (0.00264, 0.00094, 1.0304, 0.00071),
    "webhook": (0.00275, 0.00095, 1.0305, 0.00142),
    "arq_queue": (0.00386, 0.00476, 1.0346, 0.1346),
    "null": (0.00087, 0.00007, 0.00017, 0.00037),
}
_PAIRED = (Measure.SUBMIT_LATENCY, Measure.NOTIFICATION_LAG, Measure.END_TO_END)


def pattern(name: str) -> ContenderRecord:
    """The record of one of the five patterns."""
    p = PATTERNS[name]
    lost = tuple(sorted(fault.value for fault in p.loses_on))
    return ContenderRecord(
        name=name, title=p.title, summary=p.summary, runs_in=p.runs_in, learns_by=p.learns_by,
        teaches=p.teaches, loses_on=lost, kind="pattern",
    )  # fmt: skip


PATTERN_CONTENDERS = tuple(pattern(name) for name in PATTERNS if name in STAGES)
OUTSIDER = replace(
    pattern("celery_queue"), name="arq_queue", title="arq", summary="arq over Redis.", kind="contender",
    teaches=Question.RUNS_IN.value, loses_on=("broker_loss", "worker_kill"),
)  # fmt: skip
NULL = replace(
    pattern("in_memory_queue"), name="null", title="Null", summary="Answers, and does nothing.", kind="null",
    teaches="", loses_on=(),
)  # fmt: skip


def estimate(value: float, width: float | None = 0.04) -> Estimate:
    """An estimate whose interval extends by the share `width` to each side."""
    return Estimate(value) if width is None else Estimate(value, value * (1 - width), value * (1 + width))


def spread(p50: float, width: float | None = 0.04) -> Spread:
    """A spread with distinct percentiles."""
    tail = estimate(1.7 * p50, None if width is None else 3 * width)
    return Spread(COUNT, estimate(p50, width), estimate(1.3 * p50, width), tail, 2.3 * p50)


def steady(name: str, number: int, tally: Tally = WELL, width: float | None = 0.04) -> Steady:
    """One contender at the steady rate."""
    submit, wait, execution, lag = STAGES[name]
    stages = {
        Measure.SUBMIT_LATENCY: submit,
        Measure.QUEUE_WAIT: wait,
        Measure.EXECUTION: execution,
        Measure.NOTIFICATION_LAG: lag,
    }
    spreads = {measure: spread(0.98 * mean, width) for measure, mean in stages.items()}
    spreads[Measure.END_TO_END] = spread(sum(stages.values()), width)
    usage = [
        RoleUsage("web server", 0.0051 + 0.0007 * number, 61_000_000 + 1_300_000 * number),
        RoleUsage("load process", 0.0093 + 0.0003 * number, 91_000_000 + 1_700_000 * number),
    ]
    if name in {"celery_queue", "arq_queue"}:
        usage.insert(1, RoleUsage("worker", 0.0137 + 0.0005 * number, 177_000_000 + 900_000 * number))
        usage.insert(2, RoleUsage("Redis server", 0.00143 + 0.0001 * number, 14_500_000))
    polls = 2.0 if name in {"polling", "webhook"} else 4.8 + 0.1 * number
    return Steady(name, 4, tally, spreads, stages, 7.9 + 0.01 * number, polls, tuple(usage), 3 + number)


def differences(steadies: Sequence[Steady], noise: float | None = 0.0004) -> tuple[Difference, ...]:
    """The differences of all pairs, with intervals of `noise` seconds to each side."""
    return tuple(
        Difference(measure, first.contender, second.contender, _apart(first, second, measure, noise))
        for measure in _PAIRED
        for number, first in enumerate(steadies)
        for second in steadies[number + 1 :]
    )


def _apart(first: Steady, second: Steady, measure: Measure, noise: float | None) -> Estimate:
    value = first.spreads[measure].p50.value - second.spreads[measure].p50.value
    return Estimate(value) if noise is None else Estimate(value, value - noise, value + noise)


def sweep(name: str, number: int, knee: float | None = 12.0) -> Sweep:
    """A sweep whose p99 grows slowly, and steeply beyond the knee."""
    rates = (4.0, 8.0, 12.0, 14.0, 16.0, 20.0)
    points = tuple(
        SweepPoint(
            rate,
            min(rate, 14.0 + 0.13 * number) - 0.11,
            1.21 + 0.017 * number + (0 if rate <= 12 else 1.9 * (rate - 12)),
            0.0047 + 0.0009 * number + 0.0001 * rate,
            0.0 if rate < 20 else 0.051 + 0.01 * number,
        )
        for rate in rates
    )
    return Sweep(name, points, knee, None if knee is None else knee - 4 * (number % 2), 2.55)


def burst(name: str, number: int) -> Burst:
    """A burst that most contenders complete."""
    if name == "polling":
        return Burst(name, 400, 13.4, 26.2, None, 0.173, 17)
    return Burst(name, 400, 12.6 + 0.07 * number, 24.1 + 0.09 * number, 25.3 + 0.21 * number, 0.113 + 0.007 * number, 0)


def overload(name: str, number: int) -> Overload:
    """An overload with a goodput near the capacity."""
    seconds = tuple((float(second), 14.0 + (number + second) % 3) for second in range(1, 21))
    recovery = None if name == "background_tasks" else 4.1 + 0.3 * number
    return Overload(name, 32.0, 16.0, 15.1 - 0.2 * number, 0.411 + 0.011 * number, 0, recovery, seconds)


def soak(name: str, number: int) -> Soak:
    """A soak that leaves a little memory behind."""
    return Soak(name, 20_000, 1800.0, {"web server": 586.0 + 13 * number})


RECORD = RunRecord(
    kit="0.1.0",
    began="2026-11-24T09:15:00Z",
    ended="2026-11-24T10:02:41Z",
    complete=True,
    seed=17,
    command="kit bench --mode all --seed 17",
    settings={"rate": 8.0, "work": 1.0, "workers": 16, "poll_interval": 0.3, "deadline": 30.0, "hold": 10},
    host={"cores": 2, "processor": "Imaginary CPU @ 2.5 GHz", "memory": "24 GB", "kernel": "Linux 6.1"},
    versions={"fastapi": "0.130.0", "celery": "5.7.0", "locust": "2.44.1", "redis": "Valkey 9.1.0"},
    git="d88b879",
)


def trials(names: Sequence[str]) -> list[Trial]:
    return [
        Trial(number=n, round=1, contender=name, mode=Mode.STEADY, rate=8, count=240, duration=30, capacity=16)
        for n, name in enumerate(names, start=1)
    ]
