"""Health: whether this server can work."""

from tests.support.serving import Served


def test_a_healthy_server_says_which_pattern_it_is(quick: Served) -> None:
    answer = quick.http.get("/health")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"status": "ok", "pattern": quick.pattern.name}
