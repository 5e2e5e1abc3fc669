"""422: bodies that are not a submit."""

import pytest

from patterns import PATTERNS
from tests.contract.task_shape import check_problem
from tests.support.serving import Served

_NOT_JSON = {
    "nothing": b"",
    "cut off": b'{"prompt": "x"',
    "plain text": b"compare the vendors",
    "form": b"prompt=x",
    "not UTF-8": b'{"prompt": "\xff\xfe"}',
    "deeply nested": b'{"prompt": ' + b"[" * 4900 + b"]" * 4900 + b"}",
    "deeply nested and cut off": b"[" * 9000,
    "huge number": b'{"prompt": ' + b"9" * 5000 + b"}",
}
_NOT_A_SUBMIT = {
    "null": b"null",
    "list": b"[]",
    "string": b'"compare"',
    "number": b"1",
    "not a number": b"NaN",
    "no prompt": b"{}",
}
_NOT_A_PROMPT = {
    "empty": b'""',
    "null": b"null",
    "number": b"1",
    "not a number": b"NaN",
    "true": b"true",
    "list": b'["x"]',
    "object": b'{"text": "x"}',
    "lone surrogate": rb'"\ud800"',
}


def send(served: Served, body: bytes, content_type: str = "application/json") -> object:
    """Send bytes as a submit, and return the detail of the 422 that must come back."""
    answer = served.http.post("/agent/submit", content=body, headers={"content-type": content_type})
    return check_problem(answer, 422)["detail"]


@pytest.mark.parametrize("body", _NOT_JSON.values(), ids=_NOT_JSON)
def test_a_body_that_is_not_json_is_refused(quick: Served, body: bytes) -> None:
    send(quick, body)


@pytest.mark.parametrize("body", _NOT_A_SUBMIT.values(), ids=_NOT_A_SUBMIT)
def test_json_that_is_not_an_object_with_a_prompt_is_refused(quick: Served, body: bytes) -> None:
    send(quick, body)


@pytest.mark.parametrize("prompt", _NOT_A_PROMPT.values(), ids=_NOT_A_PROMPT)
def test_a_prompt_that_is_not_text_is_refused(quick: Served, prompt: bytes) -> None:
    callback = b', "callback_url": "http://127.0.0.1:9/"' if quick.pattern.requires_callback else b""

    detail = send(quick, b'{"prompt": ' + prompt + callback + b"}")

    assert "prompt" in str(detail)


def test_an_unknown_field_is_refused_by_name(quick: Served) -> None:
    answer = quick.http.post("/agent/submit", json=quick.body(temperature=0.2))

    assert "temperature" in check_problem(answer, 422)["detail"]


def test_json_under_another_content_type_is_refused(quick: Served) -> None:
    send(quick, b'{"prompt": "x"}', "text/plain")


@pytest.mark.parametrize("name", [name for name, pattern in PATTERNS.items() if not pattern.can_call_back])
def test_a_callback_url_is_refused_by_a_pattern_without_callbacks(quick: Served) -> None:
    answer = quick.http.post("/agent/submit", json={"prompt": "x", "callback_url": "https://example.com/"})

    assert "callback_url" in check_problem(answer, 422)["detail"]


@pytest.mark.parametrize("name", [name for name, pattern in PATTERNS.items() if pattern.requires_callback])
def test_a_callback_url_is_required_by_a_pattern_that_always_calls_back(quick: Served) -> None:
    answer = quick.http.post("/agent/submit", json={"prompt": "x"})

    assert "callback_url" in check_problem(answer, 422)["detail"]


@pytest.mark.parametrize("name", [name for name, pattern in PATTERNS.items() if pattern.can_call_back])
@pytest.mark.parametrize("url", ["", 1, "example.com", "ftp://example.com/", "https://", "http://u:p@x.org/"])
def test_an_invalid_callback_url_is_refused(quick: Served, url: object) -> None:
    answer = quick.http.post("/agent/submit", json={"prompt": "x", "callback_url": url})

    assert "callback_url" in check_problem(answer, 422)["detail"]


def test_a_detail_does_not_repeat_what_was_sent(quick: Served) -> None:
    answer = quick.http.post("/agent/submit", json={"prompt": ["a secret"] * 500})

    assert "a secret" not in check_problem(answer, 422)["detail"]
