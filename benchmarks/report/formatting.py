"""Formats numbers: with their unit, to two significant digits or more, but no more than the interval supports."""

import math

from benchmarks.analysis.measures import Estimate

EN_DASH = "\u2013"
MINUS = "\u2212"
#: The dash for a value that was not measured.
NOTHING = EN_DASH
_MOST_DIGITS = 4


def duration(seconds: float | None) -> str:
    """`4.5 ms`, `452 ms`, `1.24 s`, `12.4 s`."""
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    scale, unit = _time_unit(seconds)
    return f"{_fixed(seconds * scale, _decimals(seconds * scale, 3 if unit == 's' else 2))} {unit}"


def estimate(known: Estimate | None) -> str:
    """`12 ms (11-14)`: a time with its confidence interval, or the time alone if the interval is unknown.

    The width of the interval decides how many digits are shown.
    """
    if known is None:
        return NOTHING
    if known.low is None or known.high is None or not math.isfinite(known.value + known.low + known.high):
        return duration(known.value)
    scale, unit = _time_unit(max((known.value, known.low, known.high), key=abs))
    value, low, high = (scale * number for number in (known.value, known.low, known.high))
    places = _interval_decimals(value, low, high)
    joint = " to " if low < 0 else EN_DASH
    return f"{_fixed(value, places)} {unit} ({_fixed(low, places)}{joint}{_fixed(high, places)})"


def per_second(value: float | None) -> str:
    """`28/s`, `9.6/s`."""
    return NOTHING if value is None or not math.isfinite(value) else f"{decimal(value)}/s"


def decimal(value: float | None) -> str:
    """A number without a unit: `0.45`, `4.8`, `12`, `1,234`."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return _fixed(value, 0 if value == int(value) else _decimals(value, 2))


def integer(value: int | None) -> str:
    """A count: `1,234`."""
    return NOTHING if value is None else f"{value:,}"


def percent(share: float | None) -> str:
    """`12 %`, `0.4 %`; a small share is never rounded to 0 %, nor a large one to 100 %."""
    if share is None or not math.isfinite(share):
        return NOTHING
    value = round(100 * share, 9)  # the last bits differ between processors
    if 0 < value < 0.1:
        return "<0.1 %"
    if 99.9 < value < 100:
        return ">99.9 %"
    places = 1 if round(value, 1) < 10 or 99 < value < 100 else 0
    return f"{_fixed(value, 0 if value == int(value) else places)} %"


def size(count: float | None) -> str:
    """Bytes: `586 B`, `1.2 kB`, `54 MB`, in powers of 1000."""
    if count is None or not math.isfinite(count):
        return NOTHING
    value, unit = count, "B"
    for unit in ("B", "kB", "MB", "GB"):
        if abs(value) < 999.5 or unit == "GB":
            break
        value /= 1000
    return f"{_fixed(value, 0 if value == int(value) else _decimals(value, 2))} {unit}"


def _time_unit(seconds: float) -> tuple[float, str]:
    return (1000, "ms") if abs(seconds) < 0.9995 else (1, "s")


def _decimals(value: float, digits: int) -> int:
    """The decimals that give `digits` significant digits."""
    if value == 0:
        return 0
    return max(0, digits - 1 - math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}")))))


def _interval_decimals(value: float, low: float, high: float) -> int:
    largest = max(abs(value), abs(low), abs(high))
    fewest = _decimals(largest, 2)
    if high <= low:
        return fewest
    known = max(0, -math.floor(math.log10(high - low)))
    return max(fewest, min(known, _decimals(largest, _MOST_DIGITS)))


def _fixed(value: float, places: int) -> str:
    text = f"{value:,.{places}f}"
    if text.startswith("-"):
        text = text[1:] if float(text.replace(",", "")) == 0 else MINUS + text[1:]
    return text
