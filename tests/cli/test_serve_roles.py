"""`kit serve celery_queue --role web` and `--role worker`: web and workers apart, as on several hosts."""

import os
import signal
import socket
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path

import pytest

from patterns import PATTERNS
from tests.cli.command import KIT, Kit
from tests.cli.serve_process import ServeProcess
from tests.support.serving import QUICK_AGENT
from tests.support.waiting import eventually

WITHOUT_PARTS = [name for name, pattern in PATTERNS.items() if not pattern.processes]


@pytest.fixture
def settings(redis_url: str, tmp_path: Path) -> dict[str, str]:
    """The settings that all processes of a test share, with its own keys."""
    return {**QUICK_AGENT, "REDIS_URL": redis_url, "KIT_KEY_PREFIX": f"{tmp_path.name}:", "KIT_GRACE_SECONDS": "0.5"}


def part(role: str, folder: Path, settings: dict[str, str]) -> ServeProcess:
    """`kit serve celery_queue` with one role."""
    (folder / role).mkdir()
    port = ["--port", "0"] if role == "web" else []
    return ServeProcess([*KIT, "serve", "celery_queue", "--role", role, *port], folder / role, **settings)


def test_the_web_part_is_up_alone_and_workers_come_die_and_go_beside_it(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
    with part("web", tmp_path, settings) as web, ExitStack() as stack:
        said = "".join(web.out)
        assert "No worker has sent a heartbeat" in said
        assert "kit serve celery_queue --role worker" in said
        assert not web.healthy()
        waiting = web.submit("waits for a worker")
        assert web.status(waiting) == "pending"

        starting = [part("worker", folder, settings) for folder in folders]
        first, second = [stack.enter_context(one) for one in starting]
        eventually(lambda: web.status(waiting), lambda status: status == "completed")
        assert web.healthy()

        first.signal(signal.SIGINT)
        assert first.until_exit() == 0
        first.until_all_gone()
        assert web.healthy(), "there are two workers on this host, and the other one lives"

        ended = second.pid("worker")
        os.kill(ended, signal.SIGKILL)
        second.until_said(rf"The worker \(process {ended}\) was ended by SIGKILL. Restarted as process \d+\.")
        task_id = web.submit("after")
        eventually(lambda: web.status(task_id), lambda status: status == "completed")

        for one in (web, second):
            one.signal(signal.SIGTERM)
        for one in (web, second):
            assert one.until_exit() == 0
            one.until_all_gone()
    for stopped in (web, first, second):
        assert "Stopped." in "".join(stopped.out)
    assert web.err == []


@pytest.mark.parametrize(("name", "role"), [*zip(WITHOUT_PARTS, cycle(["web", "worker"]), strict=False)])
def test_a_pattern_without_workers_has_no_role(kit: Kit, name: str, role: str) -> None:
    outcome = kit("serve", name, "--port", "0", "--role", role, REDIS_URL="redis://127.0.0.1:1/0")

    assert outcome.code == 2
    assert f"{name} runs its tasks in the web process" in outcome.line
    assert "celery_queue" in outcome.line


@pytest.mark.parametrize("role", ["web", "worker"])
def test_a_role_needs_a_shared_redis(kit: Kit, role: str) -> None:
    outcome = kit("serve", "celery_queue", "--role", role)

    assert outcome.code == 2
    assert f"--role {role} requires REDIS_URL" in outcome.line
    assert "share one Redis" in outcome.line
    assert "REDIS_URL=redis://HOST" in outcome.line


def test_for_an_unknown_role_the_roles_are_listed(kit: Kit) -> None:
    outcome = kit("serve", "celery_queue", "--role", "broker")

    assert outcome.code == 2
    assert "web" in outcome.err
    assert "worker" in outcome.err


def test_web_processes_of_a_worker_are_refused_and_the_right_setting_is_named(kit: Kit) -> None:
    outcome = kit("serve", "celery_queue", "--role", "worker", "--workers", "2")

    assert outcome.code == 2
    assert "KIT_WORKERS" in outcome.line


@pytest.mark.parametrize("role", ["web", "worker"])
def test_a_redis_that_cannot_be_reached_is_named(kit: Kit, role: str) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{nobody.getsockname()[1]}/0"
        outcome = kit("serve", "celery_queue", "--role", role, "--port", "0", REDIS_URL=url)

    assert outcome.code == 2
    assert "Cannot use the Redis at REDIS_URL" in outcome.line


def test_an_agent_that_a_worker_cannot_load_is_named(kit: Kit, redis_url: str) -> None:
    outcome = kit("serve", "celery_queue", "--role", "worker", REDIS_URL=redis_url, KIT_AGENT="nothing:here")

    assert outcome.code == 2
    assert "KIT_AGENT=nothing:here" in outcome.line
