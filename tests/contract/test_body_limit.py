"""413: bodies over KIT_MAX_BODY_BYTES, which is 10,000 here."""

import http.client
import json
from collections.abc import Iterator

import httpx

from tests.contract.task_shape import check_problem
from tests.support.serving import Served
from tests.support.waiting import PATIENCE_SECONDS


def body_of(served: Served, length: int) -> bytes:
    """A valid submit of exactly `length` bytes."""
    shell = len(json.dumps(served.body("")))
    return json.dumps(served.body("x" * (length - shell))).encode()


def in_chunks(body: bytes) -> Iterator[bytes]:
    """The body piece by piece, so that its length is not known when the request begins."""
    for start in range(0, len(body), 1000):
        yield body[start : start + 1000]


def test_a_body_at_the_limit_is_accepted(quick: Served) -> None:
    body = body_of(quick, 10_000)

    assert quick.http.post("/agent/submit", content=body, headers={"content-type": "application/json"}).is_success


def test_one_byte_more_is_refused(quick: Served) -> None:
    answer = quick.http.post(
        "/agent/submit", content=body_of(quick, 10_001), headers={"content-type": "application/json"}
    )

    assert "KIT_MAX_BODY_BYTES" in check_problem(answer, 413)["detail"]


def test_a_body_in_chunks_has_the_same_limit(quick: Served) -> None:
    headers = {"content-type": "application/json"}
    small = quick.http.post("/agent/submit", content=in_chunks(body_of(quick, 10_000)), headers=headers)
    large = quick.http.post("/agent/submit", content=in_chunks(body_of(quick, 10_001)), headers=headers)

    assert small.request.headers["transfer-encoding"] == "chunked"
    assert small.status_code == 202
    check_problem(large, 413)


def test_a_body_far_over_the_limit_is_refused_before_it_has_arrived(quick: Served) -> None:
    connection = http.client.HTTPConnection(httpx.URL(quick.url).netloc.decode(), timeout=PATIENCE_SECONDS)
    connection.putrequest("POST", "/agent/submit")
    connection.putheader("content-type", "application/json")
    connection.putheader("content-length", "1000000000")
    connection.endheaders()  # without a byte of the body

    answer = connection.getresponse()

    assert answer.status == 413
    assert answer.headers["content-type"] == "application/problem+json"
    connection.close()
