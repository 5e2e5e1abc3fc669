"""ETag and If-None-Match: a status that has not changed costs no body (RFC 9110, 13.1.2)."""

import pytest

from tests.support.serving import Served


@pytest.fixture
def finished(quick: Served) -> str:
    """A task that does not change any more."""
    task_id = quick.accept()
    quick.outcome(task_id)
    if quick.pattern.requires_callback:
        quick.until_delivery(task_id)
    return task_id


def test_the_same_task_has_the_same_etag(quick: Served, finished: str) -> None:
    first, second = quick.status(finished), quick.status(finished)

    assert first.headers["etag"] == second.headers["etag"]
    assert first.headers["etag"].startswith('"')


@pytest.mark.parametrize("form", ["{0}", "W/{0}", '"other", {0}', 'W/"other",{0} , "third"', "*"])
def test_if_none_match_gives_304_without_a_body(quick: Served, finished: str, form: str) -> None:
    etag = quick.status(finished).headers["etag"]

    answer = quick.status(finished, if_none_match=form.format(etag))

    assert answer.status_code == 304
    assert answer.content == b""
    assert answer.headers["etag"] == etag


@pytest.mark.parametrize("etag", ['"other"', 'W/"other"', "", "nonsense"])
def test_another_etag_gives_the_task(quick: Served, finished: str, etag: str) -> None:
    assert quick.status(finished, if_none_match=etag).json()["task_id"] == finished


def test_the_etag_changes_with_the_task(small: Served) -> None:
    task_id = small.accept()
    before = small.status(task_id)

    small.cancel(task_id)

    after = small.status(task_id, if_none_match=before.headers["etag"])
    assert after.status_code == 200
    assert after.headers["etag"] != before.headers["etag"]


def test_a_held_answer_compares_the_etag_at_the_end_of_the_wait(quick: Served) -> None:
    task_id = quick.accept()
    before = quick.status(task_id)

    answer = quick.status(task_id, prefer="wait=25", if_none_match=before.headers["etag"])

    assert answer.status_code == 200 or before.json()["status"] == "completed"


def test_an_unknown_task_gives_404_whatever_the_etag(quick: Served) -> None:
    assert quick.status("unknown", if_none_match="*").status_code == 404
