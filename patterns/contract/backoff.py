"""How long to wait before a retry: what `Retry-After` says, or exponential backoff with jitter.

Full jitter is from "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015): clients that failed at the same
time retry at different times.
"""

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def full_jitter(attempt: int, first: float, longest: float) -> float:
    """Seconds to wait after an attempt, counted from 0: between 0 and `first * 2**attempt`, at most `longest`."""
    return random.uniform(0, min(longest, first * 2.0 ** min(attempt, 60)))


def growing_jitter(attempt: int, first: float, longest: float) -> float:
    """Like `full_jitter`, but half of the pause is fixed, so that pauses keep growing."""
    pause = min(longest, first * 2.0 ** min(attempt, 60))
    return pause / 2 + random.uniform(0, pause / 2)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds in a `Retry-After` header: a number or a date (RFC 9110, 10.2.3). None if absent or unreadable."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        due = parsedate_to_datetime(value)
        remaining = (due if due.tzinfo else due.replace(tzinfo=UTC)) - datetime.now(UTC)
    except (ValueError, OverflowError):  # a year or a UTC offset that is out of range overflows
        return None
    return max(0.0, remaining.total_seconds())
