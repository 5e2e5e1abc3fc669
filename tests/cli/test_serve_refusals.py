"""`kit serve` refuses what cannot be served in one line, and leaves nothing running."""

import socket
from pathlib import Path

import pytest

from patterns import PATTERNS
from tests.cli.command import Kit

IN_PROCESS = [name for name, pattern in PATTERNS.items() if not pattern.scales_out]


def test_for_an_unknown_name_the_patterns_are_listed(kit: Kit) -> None:
    outcome = kit("serve", "celery")

    assert outcome.code == 2
    assert "'celery'" in outcome.line
    assert all(name in outcome.line for name in PATTERNS)


@pytest.mark.parametrize("port", ["65536", "-1"])
def test_a_port_out_of_range_is_refused(kit: Kit, port: str) -> None:
    outcome = kit("serve", "in_memory_queue", "--port", port)

    assert outcome.code != 0
    assert port in outcome.line
    assert "--port" in outcome.line


def test_a_port_that_is_not_a_number_is_refused_with_the_usage(kit: Kit) -> None:
    outcome = kit("serve", "in_memory_queue", "--port", "http")

    assert outcome.code == 2
    assert "--port" in outcome.err
    assert "integer" in outcome.err


def test_a_port_in_use_is_refused_and_another_is_suggested(kit: Kit) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        outcome = kit("serve", "in_memory_queue", "--port", port)

    assert outcome.code == 2
    assert f"127.0.0.1:{port}" in outcome.line
    assert "Address already in use" in outcome.line
    assert "--port" in outcome.line


def test_an_invalid_address_is_refused(kit: Kit) -> None:
    outcome = kit("serve", "in_memory_queue", "--host", "999.1.1.1")

    assert outcome.code == 2
    assert "999.1.1.1" in outcome.line
    assert "Unknown error" not in outcome.line


@pytest.mark.parametrize("name", IN_PROCESS)
def test_two_web_processes_are_refused_if_the_records_are_in_one(kit: Kit, name: str) -> None:
    outcome = kit("serve", name, "--port", "0", "--workers", "2")

    assert outcome.code == 2
    assert f"{name} keeps its task records in the web process" in outcome.line
    assert "celery_queue" in outcome.line


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("KIT_WORKERS", "many"),
        ("KIT_QUEUE_SIZE", "0"),
        ("KIT_AGENT_BEHAVIOUR", "sleep"),
        ("KIT_TASK_TIMEOUT_SECONDS", "nan"),
        ("KIT_GRACE_SECONDS", "-1"),
        ("REDIS_URL", "localhost:6379"),
        ("KIT_BROKER_URL", "localhost:5672"),
    ],
)
def test_an_invalid_setting_is_named(kit: Kit, variable: str, value: str) -> None:
    outcome = kit("serve", "celery_queue", "--port", "0", **{variable: value})

    assert outcome.code == 2
    assert variable in outcome.line


def test_an_invalid_signing_key_is_named_and_not_shown(kit: Kit) -> None:
    outcome = kit("serve", "webhook", "--port", "0", KIT_WEBHOOK_SECRET="hunter2hunter2")

    assert outcome.code == 2
    assert "KIT_WEBHOOK_SECRET" in outcome.line
    assert "hunter2" not in outcome.line


@pytest.mark.parametrize(
    ("name", "agent", "why"),
    [
        ("in_memory_queue", "no_such_module:agent", "cannot import no_such_module"),
        ("celery_queue", "os.path:sep", "has no callable sep"),  # reported by the worker, not by the web process
    ],
)
def test_an_agent_that_cannot_be_loaded_is_named_once(kit: Kit, name: str, agent: str, why: str) -> None:
    outcome = kit("serve", name, "--port", "0", KIT_AGENT=agent)

    assert outcome.code == 2
    assert f"KIT_AGENT={agent}" in outcome.line
    assert why in outcome.line


def test_an_agent_whose_module_is_interrupted_is_named_without_a_traceback(kit: Kit, tmp_path: Path) -> None:
    (tmp_path / "interrupted_agent.py").write_text("raise KeyboardInterrupt\n")

    outcome = kit(
        "serve", "in_memory_queue", "--port", "0", KIT_AGENT="interrupted_agent:run", PYTHONPATH=str(tmp_path)
    )

    assert outcome.code == 2
    assert outcome.line.endswith("cannot import interrupted_agent: KeyboardInterrupt")


def test_a_redis_that_does_not_answer_is_named(kit: Kit) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{nobody.getsockname()[1]}/0"
        outcome = kit("serve", "celery_queue", "--port", "0", REDIS_URL=url)

    assert outcome.code == 2
    assert "Cannot use the Redis at REDIS_URL" in outcome.line
    assert ".." not in outcome.line


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_does_not_answer_is_named_and_its_password_is_not_shown(kit: Kit, scheme: str) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"{scheme}://kit:hunter2@127.0.0.1:{nobody.getsockname()[1]}/"
        outcome = kit("serve", "celery_queue", "--port", "0", KIT_BROKER_URL=url)

    assert outcome.code == 2
    assert "Cannot connect to the broker at KIT_BROKER_URL" in outcome.line
    assert "hunter2" not in outcome.line
