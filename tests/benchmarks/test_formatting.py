"""Formatted numbers have a unit, only meaningful digits, and the right value."""

import pytest

from benchmarks.analysis.measures import Estimate
from benchmarks.report.formatting import decimal, duration, estimate, integer, per_second, percent, size


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "\u2013"),
        (0.0, "0 ms"),
        (0.000071, "0.071 ms"),
        (0.00071, "0.71 ms"),
        (0.0099, "9.9 ms"),
        (0.00996, "10 ms"),
        (0.0104, "10 ms"),
        (0.4521, "452 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.00 s"),
        (1.2345, "1.23 s"),
        (12.345, "12.3 s"),
        (1800.0, "1,800 s"),
        (-0.00214, "\u22122.1 ms"),
    ],
)
def test_a_duration_has_two_significant_digits_or_three(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "\u2013"),
        (Estimate(0.012), "12 ms"),
        (Estimate(0.012, 0.011, 0.014), "12 ms (11\u201314)"),
        (Estimate(1.2112, 1.2101, 1.2119), "1.211 s (1.210\u20131.212)"),
        (Estimate(0.0045, 0.003, 0.006), "4.5 ms (3.0\u20136.0)"),
        (Estimate(-0.0031, -0.0034, -0.0028), "\u22123.1 ms (\u22123.4 to \u22122.8)"),
        (Estimate(0.0000001, -0.0004, 0.0004), "0.00 ms (\u22120.40 to 0.40)"),
        (Estimate(0.9, 0.8, 1.1), "0.9 s (0.8\u20131.1)"),
        (Estimate(0.5, 0.5, 0.5), "500 ms (500\u2013500)"),
    ],
)
def test_an_interval_decides_how_many_digits_are_shown(value: Estimate | None, text: str) -> None:
    assert estimate(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (None, "\u2013"), (0.0, "0 %"), (0.0004, "<0.1 %"), (0.0123, "1.2 %"), (0.411, "41 %"), (0.9951, "99.5 %"),
        (0.99996, ">99.9 %"), (1.0, "100 %"),
        (0.09999999999999, "10 %"), (0.10000000000001, "10 %"), (0.0999, "10 %"), (0.04000000000001, "4 %"),
    ],
)  # fmt: skip
def test_a_small_share_is_not_rounded_to_0_nor_a_large_one_to_100_percent(share: float | None, text: str) -> None:
    assert percent(share) == text


def test_counts_rates_and_bytes_have_their_units() -> None:
    assert [integer(n) for n in (0, 1234, None)] == ["0", "1,234", "\u2013"]
    assert [per_second(n) for n in (28.0, 7.94, 0.55, None)] == ["28/s", "7.9/s", "0.55/s", "\u2013"]
    assert [decimal(n) for n in (4.84, 12.0, 12.34, 0.0)] == ["4.8", "12", "12", "0"]
    assert [size(n) for n in (586.0, 1234.0, 61_300_000, 999_700, None)] == [
        "586 B", "1.2 kB", "61 MB", "1.0 MB", "\u2013",
    ]  # fmt: skip
