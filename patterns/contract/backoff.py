"""How long to wait before trying again: what the server says, or an exponential pause with full jitter.

Full jitter is from "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015): many clients that failed
together come back spread out, not together.
"""

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def full_jitter(attempt: int, first: float, longest: float) -> float:
    """Seconds to wait before attempt `attempt + 1`: anything from 0 to `first * 2**attempt`, at most `longest`."""
    return random.uniform(0, min(longest, first * 2.0 ** min(attempt, 60)))


def growing_jitter(attempt: int, first: float, longest: float) -> float:
    """Seconds to wait where each pause must be longer than the last: half of it fixed, half of it jitter."""
    pause = min(longest, first * 2.0 ** min(attempt, 60))
    return pause / 2 + random.uniform(0, pause / 2)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds in a `Retry-After` header: a number or a date (RFC 9110, 10.2.3). None if absent or unreadable."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        due = parsedate_to_datetime(value)
        left = (due if due.tzinfo else due.replace(tzinfo=UTC)) - datetime.now(UTC)
    except (ValueError, OverflowError):  # a year or a zone too large to be one overflows
        return None
    return max(0.0, left.total_seconds())
