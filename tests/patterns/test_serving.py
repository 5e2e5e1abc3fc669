"""`running(pattern)`: everything a pattern needs, up and healthy, or a one-line error."""

import os
import socket
from pathlib import Path

import httpx
import psutil
import pytest

import patterns
from patterns import BACKGROUND_TASKS, CELERY_QUEUE, IN_MEMORY_QUEUE, PATTERNS
from patterns.contract.descriptor import Fault
from patterns.serving import supervising
from patterns.serving.errors import CannotServe
from patterns.serving.processes import Family, ProcessFailed
from patterns.serving.rabbitmq_server import RabbitMQ
from patterns.serving.running import running
from patterns.serving.sockets import free_port
from patterns.serving.supervising import wait_until_up
from tests.support.waiting import eventually

#: The modules beside the patterns that learners import.
_FOR_LEARNERS = {"practice", "receiver"}


def test_every_pattern_has_the_name_of_its_module_and_every_module_is_a_pattern_that_is_listed() -> None:
    assert {name: pattern.name for name, pattern in PATTERNS.items()} == {name: name for name in PATTERNS}
    assert [pattern.module for pattern in PATTERNS.values()] == [f"patterns.{name}" for name in PATTERNS]
    modules = {path.stem for path in Path(patterns.__file__).parent.glob("*.py")}
    assert modules - {"__init__", *_FOR_LEARNERS} == set(PATTERNS)


def test_a_pattern_loses_tasks_only_on_faults_that_can_happen_to_it() -> None:
    for pattern in PATTERNS.values():
        if not pattern.processes:
            assert Fault.WORKER_KILL not in pattern.loses_on
        if "redis" not in pattern.needs:
            assert Fault.BROKER_LOSS not in pattern.loses_on


def test_it_is_healthy_inside_the_block_and_gone_after_it(tmp_path: Path) -> None:
    with running(IN_MEMORY_QUEUE, log=tmp_path / "log") as up:
        assert httpx.get(f"{up.url}/health", trust_env=False).status_code == 200
        assert up.url.startswith("http://127.0.0.1:")
        pids = [child.pid for child in up.children]

    eventually(lambda: [pid for pid in pids if psutil.pid_exists(pid)], lambda left: left == [])
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{up.url}/health", trust_env=False)


def test_an_error_inside_the_block_stops_everything_too(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="mine"), running(BACKGROUND_TASKS, log=tmp_path / "log") as up:
        raise RuntimeError("mine")

    assert not psutil.pid_exists(up.web[0].pid)


@pytest.mark.parametrize("name", [name for name, pattern in PATTERNS.items() if not pattern.scales_out])
def test_several_web_processes_are_refused_if_each_would_have_its_own_records(name: str) -> None:
    with pytest.raises(CannotServe, match="celery_queue"), running(PATTERNS[name], web_processes=2):
        pass


def test_a_port_in_use_is_reported_before_anything_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotServe, match="--port") as raised, running(IN_MEMORY_QUEUE, port=port):
            pass
    assert str(port) in str(raised.value)


def test_an_address_of_another_machine_is_reported() -> None:
    with pytest.raises(CannotServe, match="--host"), running(IN_MEMORY_QUEUE, host="203.0.113.1"):
        pass


def test_the_reason_why_a_process_ended_is_reported_even_if_a_table_follows_it(tmp_path: Path) -> None:
    says = "echo '[2026-11-28 17:00:00] host/ERROR/kit: The agent is away.'; echo '------|-----'; exit 1"
    with Family(log=tmp_path / "log") as family:
        family.start("load process", ["/bin/sh", "-c", says], os.environ)
        with pytest.raises(ProcessFailed, match=r"before it was ready: The agent is away\.$"):
            wait_until_up(lambda: False, family.children, "It did not come up", lambda: "", log=family.log)


def test_a_server_that_does_not_answer_is_an_error_at_the_deadline_that_names_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "slow_agent.py").write_text("import time\ntime.sleep(600)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(supervising, "START_SECONDS", 0.5)
    log = tmp_path / "log"

    with pytest.raises(ProcessFailed) as raised, running(IN_MEMORY_QUEUE, env={"KIT_AGENT": "slow_agent:run"}, log=log):
        pass

    assert "within 0.5 s" in str(raised.value)
    assert str(raised.value).endswith(f"Its log is {log}")


def test_a_rabbitmq_that_does_not_answer_is_an_error_after_three_times_as_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervising, "START_SECONDS", 0.1)
    with Family() as family:
        node = family.start("RabbitMQ", ["/bin/sleep", "600"], os.environ)
        broker = RabbitMQ("amqp://", node, free_port(), tmp_path)

        with pytest.raises(ProcessFailed, match=r"RabbitMQ did not reply within 0\.3 s\. Try again"):
            broker.wait_until_up()


@pytest.mark.parametrize(
    ("pattern", "env", "said"),
    [
        (IN_MEMORY_QUEUE, {"KIT_AGENT": "nothing:here"}, "KIT_AGENT=nothing:here"),
        (CELERY_QUEUE, {"KIT_AGENT": "nothing:here"}, "KIT_AGENT=nothing:here"),
        (CELERY_QUEUE, {"REDIS_URL": "redis://127.0.0.1:1/0"}, "REDIS_URL"),
    ],
    ids=["agent", "agent of a worker", "redis"],
)
def test_an_invalid_setting_is_reported_in_one_line(
    pattern: object, env: dict[str, str], said: str, tmp_path: Path
) -> None:
    chosen = next(known for known in PATTERNS.values() if known is pattern)
    with pytest.raises(ProcessFailed) as raised, running(chosen, env=env, log=tmp_path / "log"):
        pass

    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_it_listens_on_ipv6_if_the_host_says_so(tmp_path: Path) -> None:
    with running(IN_MEMORY_QUEUE, host="::1", log=tmp_path / "log") as up:
        assert up.url.startswith("http://[::1]:")
        assert httpx.get(f"{up.url}/health", trust_env=False).status_code == 200
