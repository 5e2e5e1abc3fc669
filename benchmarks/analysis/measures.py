"""The measures of a task, and estimates with 95 % confidence intervals. All in seconds."""

from dataclasses import dataclass
from enum import StrEnum


class Measure(StrEnum):
    """A latency of a task, in seconds."""

    SUBMIT_LATENCY = "submit_latency"
    QUEUE_WAIT = "queue_wait"
    EXECUTION = "execution"
    NOTIFICATION_LAG = "notification_lag"
    END_TO_END = "end_to_end"


#: The names of the measures in a report.
MEASURE_TITLES = {
    Measure.SUBMIT_LATENCY: "submit",
    Measure.QUEUE_WAIT: "wait",
    Measure.EXECUTION: "execute",
    Measure.NOTIFICATION_LAG: "notify",
    Measure.END_TO_END: "end to end",
}


@dataclass(frozen=True)
class Estimate:
    """A number with its confidence interval, if known."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Spread:
    """The percentiles of one measure over all valid trials: measured values, never interpolated."""

    count: int
    p50: Estimate
    p95: Estimate
    p99: Estimate
    longest: float
