"""Malformed ids and paths give 404 or 400, and unsupported methods 405."""

import pytest

from tests.abuse.raw_connection import Raw
from tests.contract.task_shape import check_problem
from tests.support.serving import Served

_IDS = (
    "..",
    "../health",
    "../../etc/passwd",
    "..;/health",
    ".",
    "./x",
    "/",
    "//etc/passwd",
    "%2e%2e",
    "%2e%2e%2fhealth",
    "..%2f..%2fetc%2fpasswd",
    "..%5c..%5cetc%5cpasswd",
    "..\\..\\etc\\passwd",
    "%252e%252e%252f",
    "%00",
    "x%00.json",
    "%0d%0aX-Injected:%201",
    "%ff%fe",
    "%c0%ae%c0%ae%c0%af",
    "%ed%a0%80",
    "%f0%9f%98%80",
    "%",
    "%zz",
    "*",
    "?",
    "kit:tasks",
    "*%0AKEYS%20*",
    "{{7*7}}",
    "${jndi:ldap:x}",
    "'%20OR%20'1'='1",
    "<script>alert(1)</script>",
    "null",
    "-1",
    "0" * 32,
    "f" * 20_000,
    "a/" * 5000,
)
_NO_TARGETS = ("nowhere", "http://", "http://:99999999/x", "/\xff", "/agent/status/\xe9", "?x", "\x01")
_OTHER_METHODS = {
    "/agent/submit": ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "SUBSCRIBE"),
    "/agent/status/x": ("HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "LOCK", "PURGE"),
    "/agent/cancel/x": ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "MKCOL"),
    "/health": ("HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "REPORT"),
}


@pytest.mark.parametrize("task_id", _IDS, ids=lambda task_id: ascii(task_id[:30]))
def test_an_id_that_was_never_issued_is_not_found_however_it_is_written(served: Served, task_id: str) -> None:
    with Raw(served) as raw:
        for method, route in (("GET", "status"), ("POST", "cancel")):
            target = f"/agent/{route}/{task_id}"
            raw.send(f"{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
            answer = raw.answer(method, target)

            check_problem(answer, 404)
            assert "x-injected" not in answer.headers
            assert "root:" not in answer.text


@pytest.mark.parametrize("target", _NO_TARGETS, ids=ascii)
def test_an_invalid_target_is_refused(served: Served, target: str) -> None:
    with Raw(served) as raw:
        raw.send(b"GET " + target.encode("latin-1") + b" HTTP/1.1\r\nHost: x\r\n\r\n")

        check_problem(raw.answer(), 400)
        assert raw.rest() == b""


@pytest.mark.parametrize("path", _OTHER_METHODS)
def test_another_method_gets_405_with_the_allowed_ones(served: Served, path: str) -> None:
    allowed = {method.upper() for method in served.openapi.document["paths"][path.replace("/x", "/{task_id}")]}
    for method in _OTHER_METHODS[path]:
        answer = served.http.request(method, path)

        assert answer.status_code == 405, f"{method} {path} → {answer.status_code}"
        assert set(answer.headers["allow"].split(", ")) == allowed
        if method != "HEAD":
            check_problem(answer, 405)


@pytest.mark.parametrize("method", ["CONNECT", "GETT", "get", "PRI", "\x00", "GET\x00"], ids=ascii)
def test_an_invalid_method_is_refused(served: Served, method: str) -> None:
    with Raw(served) as raw:
        raw.send(f"{method} example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n".encode())

        check_problem(raw.answer(), 400)
