"""404 and 405, and every error as application/problem+json."""

from uuid import uuid4

import pytest

from tests.contract.task_shape import check_problem
from tests.support.serving import Served


@pytest.mark.parametrize(
    "task_id",
    [
        pytest.param(uuid4().hex, id="another uuid"),
        "x",
        "0",
        "..%2f..%2fetc",
        "%00",
        "%ff",
        "a" * 2000,
        "日本",
        "*",
        "%20",
    ],
)
def test_an_id_that_was_never_issued_is_unknown(quick: Served, task_id: str) -> None:
    check_problem(quick.status(task_id), 404)
    check_problem(quick.status(task_id, prefer="wait=5"), 404)
    check_problem(quick.cancel(task_id), 404)


@pytest.mark.parametrize(
    "path", ["/nothing", "/agent", "/agent/status", "/agent/status/", "/agent/status/a/b", "/Health"]
)
def test_a_route_that_is_not_there_gives_404(quick: Served, path: str) -> None:
    check_problem(quick.http.get(path), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/agent/submit", "POST"),
        ("PUT", "/agent/submit", "POST"),
        ("POST", "/agent/status/x", "GET"),
        ("DELETE", "/agent/status/x", "GET"),
        ("GET", "/agent/cancel/x", "POST"),
        ("POST", "/health", "GET"),
    ],
)
def test_another_method_gives_405_and_says_which_is_allowed(
    quick: Served, method: str, path: str, allowed: str
) -> None:
    answer = quick.http.request(method, path)

    problem = check_problem(answer, 405)
    assert allowed in answer.headers["allow"]
    assert method in problem["detail"]
