"""Bodies that are too long, too deep, or malformed get a documented answer, and their memory is released."""

import json
from collections.abc import Iterator

import httpx
import psutil
import pytest

from tests.abuse.raw_connection import Raw
from tests.contract.task_shape import check_problem
from tests.support.serving import Served

_TEN_MILLION = 10_000_000
_JSON = {"content-type": "application/json"}


def ten_million_in_chunks() -> Iterator[bytes]:
    """A body whose length is not known when it begins."""
    yield b'{"prompt": "'
    for _ in range(_TEN_MILLION // 100_000):
        yield b"x" * 100_000
    yield b'"}'


def memory(served: Served) -> int:
    """The memory of the web processes, in bytes."""
    return sum(psutil.Process(child.pid).memory_info().rss for child in served.running.web)


def test_ten_million_bytes_are_refused_and_not_kept(served: Served) -> None:
    body = json.dumps(served.body("x" * _TEN_MILLION)).encode()
    served.http.post("/agent/submit", content=body, headers=_JSON)
    before = memory(served)

    for _ in range(4):
        check_problem(served.http.post("/agent/submit", content=body, headers=_JSON), 413)
        check_problem(served.http.post("/agent/submit", content=ten_million_in_chunks(), headers=_JSON), 413)

    assert memory(served) - before < 30_000_000


def test_the_body_of_a_get_is_not_kept_either(served: Served) -> None:
    task_id = served.accept()
    served.outcome(task_id)
    before = memory(served)

    for _ in range(3):
        answer = served.http.request("GET", f"/agent/status/{task_id}", content=b"x" * _TEN_MILLION)
        assert answer.status_code == 200
        check_problem(served.http.post("/agent/nowhere", content=ten_million_in_chunks()), 404)

    assert memory(served) - before < 30_000_000


def test_a_prompt_of_a_million_characters_is_accepted_if_the_limit_allows_it(served: Served) -> None:
    task = served.outcome(served.accept("é" * 300_000 + "x" * 700_000))

    assert (task["status"], task["result"]) == ("completed", "1000000 characters")


@pytest.mark.parametrize("opening", [b"[", b'{"prompt":', b'{"prompt":[', b'[{"a":'], ids=ascii)
def test_json_of_a_hundred_thousand_levels_is_refused(served: Served, opening: bytes) -> None:
    for body in (opening * 100_000, b'{"prompt": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"):
        check_problem(served.http.post("/agent/submit", content=body, headers=_JSON), 422)


def test_an_object_of_a_hundred_thousand_fields_is_refused_in_a_few_words(served: Served) -> None:
    body = served.body(**{f"field-{n}": n for n in range(100_000)})

    answer = served.http.post("/agent/submit", json=body)

    assert f"{len(body)} fields are too many" in check_problem(answer, 422)["detail"]


def test_the_last_of_two_fields_with_the_same_name_counts(served: Served) -> None:
    rest = json.dumps(served.body("last"))[1:]

    answer = served.http.post("/agent/submit", content='{"prompt": 1, "prompt": "first", ' + rest, headers=_JSON)

    assert answer.status_code == 202, answer.text
    assert served.outcome(answer.json()["task_id"])["result"] == "4 characters"


@pytest.mark.parametrize("prompt", ["\x00", "a\x00b", "\x1b[2J\x07", "\ufeff\u202e\u2028", "\U0001f600" * 3])
def test_a_character_that_cannot_be_seen_is_a_character(served: Served, prompt: str) -> None:
    task = served.outcome(served.accept(prompt))

    assert (task["status"], task["result"]) == ("completed", f"{len(prompt)} characters")


@pytest.mark.parametrize(
    "prompt",
    [
        b'"\x00"',  # not escaped
        b'"\x1f"',
        b'"\xed\xa0\x80"',  # a surrogate in UTF-8
        b'"\xc0\xaf"',  # an overlong slash
        b'"\xf4\x90\x80\x80"',  # past the last code point
        rb'"\udfff"',
        rb'"\ud800\ud800"',
        rb'"\u12"',
        rb'"\x41"',
        b"1e400",
        b"-1e400",
        b"1" + b"0" * 4300,
        b"Infinity",
        b'"a" "b"',
        b'"a", "prompt": []',  # the last counts
    ],
    ids=lambda prompt: ascii(prompt[:12]),
)
def test_a_prompt_that_is_not_text_is_refused(served: Served, prompt: bytes) -> None:
    rest = json.dumps(served.body()).encode().partition(b",")[2] or b"}"
    body = b'{"prompt": ' + prompt + (b"," if rest != b"}" else b"") + rest

    check_problem(served.http.post("/agent/submit", content=body, headers=_JSON), 422)


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "x",
        "/",
        "text/html",
        "multipart/form-data",
        "application/x-www-form-urlencoded",
        "application/" + "x" * 9000,
    ],
    ids=lambda content_type: content_type[:40],
)
def test_json_under_another_content_type_is_refused(served: Served, content_type: str) -> None:
    answer = served.http.post(
        "/agent/submit", content=json.dumps(served.body()), headers={"content-type": content_type}
    )

    check_problem(answer, 422)


@pytest.mark.parametrize("key", [b"\xff\xfe", b"\xc3\xa9", b"a b", b"\t", b"{}", b"*", b"k" * 255], ids=ascii)
def test_a_key_of_any_visible_bytes_is_a_key(served: Served, key: bytes) -> None:
    headers: list[tuple[bytes, bytes]] = [(b"idempotency-key", b"x" + key[1:])]

    answers = [served.http.post("/agent/submit", json=served.body(), headers=headers) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [202, 202]
    assert len({answer.json()["task_id"] for answer in answers}) == 1


@pytest.mark.parametrize("key", [b"a\x00b", b"a\rb", b"a\x01b", b"a\x7fb"], ids=ascii)
def test_a_control_character_in_a_key_is_not_http(served: Served, key: bytes) -> None:
    with Raw(served) as raw:
        raw.send(b"POST /agent/submit HTTP/1.1\r\nIdempotency-Key: " + key + b"\r\nContent-Length: 0\r\n\r\n")

        check_problem(raw.answer("POST", "/agent/submit"), 400)
        assert raw.rest() == b""


_NOT_HTTP = {
    "two lengths": b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n",
    "a length and chunks": b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a negative length": b"Content-Length: -1\r\n\r\n",
    "a length that is no number": b"Content-Length: 0x10\r\n\r\n",
    "a length of more than 64 bits": b"Content-Length: 99999999999999999999\r\n\r\n",
    "a chunk of no length": b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a chunk of more than 64 bits": b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
}


@pytest.mark.parametrize("rest", _NOT_HTTP.values(), ids=_NOT_HTTP)
def test_a_body_whose_end_is_ambiguous_is_refused(served: Served, rest: bytes) -> None:
    with Raw(served) as raw:
        answer = raw.send(b"POST /agent/submit HTTP/1.1\r\nHost: x\r\n" + rest).answer("POST", "/agent/submit")

    check_problem(answer, 400)


def test_an_enormous_content_length_is_refused(served: Served) -> None:
    with Raw(served) as raw:
        raw.send(b"POST /agent/submit HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551615\r\n")
        raw.send(b"Content-Type: application/json\r\n\r\n")

        check_problem(raw.answer("POST", "/agent/submit"), 413)


def test_a_request_that_would_be_another_protocol_loses_no_body_in_silence(served: Served) -> None:
    upgrade = {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2-settings": ""}

    answer = served.http.post("/agent/submit", json=served.body(), headers=upgrade)
    websocket = served.http.get("/health", headers={"connection": "Upgrade", "upgrade": "websocket"})

    assert isinstance(answer, httpx.Response)
    assert "Upgrade" in check_problem(answer, 400)["detail"]
    assert websocket.status_code == 200
