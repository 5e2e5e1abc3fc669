"""What is measured of each task, and how a number is given: with its interval, and with its spread.

Seconds. Where a number is known with an interval, it is one of 95 %.
"""

from dataclasses import dataclass
from enum import StrEnum


class Measure(StrEnum):
    """What is measured of each task, in seconds."""

    SUBMIT_LATENCY = "submit_latency"
    QUEUE_WAIT = "queue_wait"
    EXECUTION = "execution"
    NOTIFICATION_LAG = "notification_lag"
    END_TO_END = "end_to_end"


#: How each is called in a report.
MEASURE_TITLES = {
    Measure.SUBMIT_LATENCY: "submit",
    Measure.QUEUE_WAIT: "wait",
    Measure.EXECUTION: "execute",
    Measure.NOTIFICATION_LAG: "notify",
    Measure.END_TO_END: "end to end",
}


@dataclass(frozen=True)
class Estimate:
    """A number, and between what the true one lies, if that is known."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Spread:
    """How one measure is spread over all valid trials: values that were measured, never one in between."""

    count: int
    p50: Estimate
    p95: Estimate
    p99: Estimate
    longest: float
