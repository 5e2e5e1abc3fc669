"""How long to wait before trying again."""

import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from patterns.contract.backoff import full_jitter, growing_jitter, retry_after


def test_full_jitter_draws_from_zero_to_a_bound_that_doubles_up_to_the_longest() -> None:
    random.seed(1)
    for attempt, bound in enumerate([1, 2, 4, 8, 10, 10, 10]):
        drawn = [full_jitter(attempt, first=1, longest=10) for _ in range(500)]
        assert max(drawn) <= bound
        assert max(drawn) > 0.9 * bound
        assert min(drawn) < 0.1 * bound


def test_growing_jitter_is_longer_each_time_until_the_longest() -> None:
    random.seed(1)
    for attempt, bound in enumerate([1, 2, 4, 8, 10, 10, 10]):
        drawn = [growing_jitter(attempt, first=1, longest=10) for _ in range(500)]
        assert max(drawn) <= bound
        assert min(drawn) >= bound / 2
        assert max(drawn) - min(drawn) > bound / 3


def test_the_thousandth_attempt_waits_no_longer_than_the_longest() -> None:
    assert 0 <= full_jitter(1000, 1, 10) <= 10
    assert 5 <= growing_jitter(1000, 1, 10) <= 10


@pytest.mark.parametrize(("value", "seconds"), [("0", 0), ("7", 7), (" 120 ", 120)])
def test_seconds_are_read_as_they_are(value: str, seconds: float) -> None:
    assert retry_after({"retry-after": value}) == seconds


def test_a_date_is_read_as_the_seconds_until_then() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)

    assert 3500 < (retry_after({"retry-after": date}) or 0) <= 3600


def test_a_date_in_the_past_means_now() -> None:
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0


@pytest.mark.parametrize(
    "value",
    [
        "",
        "soon",
        "-1",
        "1.5",
        "1e3",
        "٣",
        "Wed, 99 Oct 2015 07:28:00 GMT",
        "1 Jan 20 0:0:0 3399999999999",
        "Wed, 21 Oct 20315 7:38:00 +9999999999999999999999",
    ],
)
def test_an_invalid_header_is_ignored(value: str) -> None:
    assert retry_after({"retry-after": value}) is None


def test_a_missing_header_is_ignored() -> None:
    assert retry_after({}) is None
