"""The size limit of a request's head, and pipelined requests."""

import pytest

from patterns.web.connections import MAX_HEADER_BYTES, MAX_PIPELINED
from tests.abuse.raw_connection import Raw
from tests.contract.task_shape import check_problem
from tests.support.serving import Served

_GET = b"GET /health HTTP/1.1\r\nHost: x\r\n"
_CHUNKED = b"POST /agent/submit HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
_TOO_LONG = {
    "one header": _GET + b"X: " + b"a" * MAX_HEADER_BYTES,
    "one name": _GET + b"a" * MAX_HEADER_BYTES + b": x",
    "many headers": _GET + b"\r\n".join(b"X-%d: a" % number for number in range(MAX_HEADER_BYTES // 8)),
    "a path": b"GET /agent/status/" + b"a" * MAX_HEADER_BYTES + b" HTTP/1.1\r\nHost: x",
    "a query": b"GET /health?" + b"a" * MAX_HEADER_BYTES + b" HTTP/1.1\r\nHost: x",
}
_ENDLESS = {
    "one header": _GET + b"X: " + b"a" * 1_000_000,
    "one name": _GET + b"a" * 1_000_000,
    "many headers": _GET + b"X: a\r\n" * 200_000,
    "a path": b"GET /" + b"a" * 1_000_000,
    "blank lines": b"\r\n" * 500_000,
    "trailers": _CHUNKED + b"2\r\n{}\r\n0\r\n" + b"T: a\r\n" * 200_000,
    "one trailer": _CHUNKED + b"2\r\n{}\r\n0\r\nT: " + b"a" * 1_000_000,
    "the name of a chunk": _CHUNKED + b"2;" + b"a" * 1_000_000,
    "a length of zeros": _GET + b"Content-Length: " + b"0" * 1_000_000,
}


@pytest.mark.parametrize("head", _TOO_LONG.values(), ids=_TOO_LONG)
def test_a_complete_head_over_the_limit_is_refused(served: Served, head: bytes) -> None:
    with Raw(served) as raw:
        problem = check_problem(raw.send(head + b"\r\n\r\n").answer(target="/health"), 431)

        assert str(MAX_HEADER_BYTES) in problem["detail"]
        assert raw.rest() == b""


@pytest.mark.parametrize("head", _ENDLESS.values(), ids=_ENDLESS)
def test_a_head_without_an_end_is_not_read_on(impatient: Served, head: bytes) -> None:
    with Raw(impatient) as raw:
        try:
            raw.send(head)
        except ConnectionError:
            return  # closed while it was still sending
        came = raw.rest()
        assert b" 408 " not in came, "it has waited for more"


def test_a_head_at_the_limit_is_read(served: Served) -> None:
    with Raw(served) as raw:
        rest = MAX_HEADER_BYTES - len("/health" + "host: x  " + "x:   ")

        assert raw.send(_GET + b"X: " + b"a" * rest + b"\r\n\r\n").answer(target="/health").status_code == 200
        assert raw.send(_GET + b"X: " + b"a" * rest + b"\r\n\r\n").answer(target="/health").status_code == 200
        assert raw.send(_GET + b"X: " + b"a" * rest + b"a\r\n\r\n").answer(target="/health").status_code == 431


def test_pipelined_requests_are_answered_in_order(served: Served) -> None:
    with Raw(served) as raw:
        raw.send(
            b"".join(
                b"GET /agent/status/%d HTTP/1.1\r\nHost: x\r\n\r\n" % number + _GET + b"\r\n" for number in range(100)
            )
        )
        for number in range(50):
            assert raw.answer(target=f"/agent/status/{number}").status_code == 404
            assert raw.answer(target="/health").status_code == 200


def test_of_too_many_pipelined_requests_the_first_are_answered(served: Served) -> None:
    with Raw(served) as raw:
        raw.send((_GET + b"\r\n") * 5000)
        came = raw.rest()

    assert came.count(b"HTTP/1.1 200 OK") >= MAX_PIPELINED
    assert came.count(b"HTTP/1.1 ") == came.count(b"HTTP/1.1 200 OK")


def test_a_request_pipelined_behind_a_long_poll_waits_for_its_turn(served: Served) -> None:
    task_id = served.accept("hold: until it is cancelled")
    with Raw(served) as raw:
        poll = f"GET /agent/status/{task_id} HTTP/1.1\r\nHost: x\r\nPrefer: wait=20\r\n\r\n".encode()
        raw.send(poll + _GET + b"\r\n" + b"not HTTP at all\r\n\r\n")
        served.until(task_id, "running")
        served.cancel(task_id)

        assert raw.answer(target=f"/agent/status/{task_id}").json()["status"] == "cancelled"
        assert raw.answer(target="/health").status_code == 200
        assert raw.rest() == b"", "what is not HTTP gets no answer, and ends the connection"
