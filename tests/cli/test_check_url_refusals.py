"""`kit check --url` against a missing or unusable server: one clear line."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.cli import unusable_servers
from tests.cli.command import Kit, Outcome
from tests.cli.node_server import node_server


def ends(kit: Kit, what: Callable[[], AbstractContextManager[str]], *more: str) -> Outcome:
    with what() as url:
        return kit("check", "--url", url, *more)


@pytest.mark.parametrize(
    ("what", "says"),
    [
        (unusable_servers.refused, "connection refused"),
        (unusable_servers.silent, "got no response within"),
        (unusable_servers.another_protocol, "does not speak HTTP"),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_a_server_that_does_not_respond_is_one_line_and_inconclusive(
    kit: Kit, what: Callable[[], AbstractContextManager[str]], says: str
) -> None:
    ended = ends(kit, what)
    assert (ended.code, ended.out) == (2, "")
    assert says in ended.line


def test_a_missing_server_is_in_the_json_too(kit: Kit, tmp_path: Path) -> None:
    ended = ends(kit, unusable_servers.refused, "--exercise", "1", "--json", str(tmp_path / "grade.json"))
    said = json.loads((tmp_path / "grade.json").read_text())
    assert (ended.code, said["result"], said["exercises"]) == (2, "could not run", [])
    assert "connection refused" in said["problems"][0]


def test_another_website_lacks_the_routes(kit: Kit) -> None:
    ended = ends(kit, unusable_servers.another_website)
    assert ended.code == 1
    assert "there is no route for POST /agent/submit" in ended.out
    assert ended.out.count("✗") == 2  # and GET /health
    assert "✓" not in ended.out


@pytest.mark.needs("node")
def test_a_server_that_dies_is_reported_once(kit: Kit) -> None:
    ended = ends(kit, unusable_servers.one_that_dies)
    assert ended.code == 1
    assert "CRASHED: The process ended during the check." in ended.out
    assert ended.out.count("✗") == 1


@pytest.mark.parametrize(("number", "file"), [("6", "client.py"), ("8", "receiver.py")])
def test_an_exercise_without_a_server_cannot_be_checked_by_url(kit: Kit, number: str, file: str) -> None:
    ended = ends(kit, unusable_servers.refused, "--exercise", number)
    assert (ended.code, ended.out) == (2, "")
    assert file in ended.line
    assert f"kit check {number}" in ended.line


@pytest.mark.needs("node")
def test_an_exercise_that_cannot_be_checked_from_outside_is_refused(kit: Kit) -> None:
    ended = ends(kit, node_server, "--exercise", "9")
    assert ended.code == 2
    assert "None of the checks can be run from outside." in ended.out
    assert ended.err == ""


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://127.0.0.1", "http://", "http://127.0.0.1:99999"])
def test_an_invalid_url_is_refused(kit: Kit, url: str) -> None:
    ended = kit("check", "--url", url)
    assert (ended.code, ended.out) == (2, "")
    assert "http://HOST:PORT" in ended.line
