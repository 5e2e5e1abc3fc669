"""How the headers of requests are read, and those of answers written."""

import pytest

from patterns.web.headers import matches, preferred_wait, retry_after_seconds


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        (None, None),
        ("", None),
        ("wait=0", 0),
        ("wait=10", 10),
        ("WAIT=10", 10),
        ("wait = 10", 10),
        ('wait="10"', 10),
        ("respond-async, wait=10", 10),
        ("wait=10, respond-async", 10),
        ("wait=10;foo=bar", 10),
        ("wait=5, wait=10", 5),  # the first counts
        ("wait=999999999", 999_999_999),
        ("wait=9999999999999999999999", None),
        ("wait", None),
        ("wait=", None),
        ("wait=-1", None),
        ("wait=1.5", None),
        ("wait=1e3", None),
        ("wait=ten", None),
        ("await=10", None),
        ("x-wait=10", None),
        ("wait=10 seconds", None),
    ],
)
def test_the_wait_preference_is_whole_seconds_or_ignored(prefer: str | None, seconds: float | None) -> None:
    assert preferred_wait(prefer) == seconds


@pytest.mark.parametrize("if_none_match", ['"a"', 'W/"a"', '"b", "a"', 'W/"b",W/"a"', "*", ' "a" ', '"b" , "a" , "c"'])
def test_if_none_match_names_an_etag_alone_in_a_list_or_by_a_star(if_none_match: str) -> None:
    assert matches(if_none_match, '"a"')


@pytest.mark.parametrize("if_none_match", ["", "a", '"A"', '"b"', '"aa"', "W/", '"a', ",,,"])
def test_if_none_match_does_not_match_another_etag(if_none_match: str) -> None:
    assert not matches(if_none_match, '"a"')


@pytest.mark.parametrize(("seconds", "written"), [(0, "0"), (0.2, "1"), (1, "1"), (1.01, "2"), (30, "30")])
def test_retry_after_is_rounded_up_to_whole_seconds(seconds: float, written: str) -> None:
    assert retry_after_seconds(seconds) == written
