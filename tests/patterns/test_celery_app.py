"""celery_queue as a module: it can be imported without a broker, and a missing setting is one line on stderr."""

import os
import sys
from pathlib import Path

import pytest

from patterns.celery_support.app import HARD_LIMIT_AFTER_SECONDS, configuration
from patterns.celery_support.brokers import DELIVER
from patterns.contract.settings import Settings
from tests.cli.command import Outcome, run

_NOWHERE = "redis://127.0.0.1:1/0"
WORKER = [sys.executable, "-m", "celery", "-A", "patterns.celery_queue", "worker"]
WEB = [sys.executable, "-m", "patterns.web.process", "patterns.celery_queue:create_app", "--port", "0"]


def python(code: str, folder: Path, **settings: str) -> Outcome:
    """Run `code` in a new interpreter. The message of a failed `assert` is in the outcome."""
    outcome = run([sys.executable, "-c", code], folder, **settings)
    assert outcome.code == 0, outcome.err
    return outcome


def test_importing_it_reads_no_setting(tmp_path: Path) -> None:
    python("from patterns.celery_queue import celery, create_app; assert not celery.configured", tmp_path)


@pytest.mark.parametrize("argv", [WORKER, WEB], ids=["worker", "web"])
@pytest.mark.parametrize(
    ("variable", "settings"),
    [
        ("REDIS_URL", {}),
        ("REDIS_URL", {"KIT_BROKER_URL": _NOWHERE}),
        ("KIT_BROKER_URL", {"REDIS_URL": _NOWHERE, "KIT_BROKER_URL": "localhost:5672"}),
        ("KIT_WORKERS", {"REDIS_URL": _NOWHERE, "KIT_WORKERS": "many"}),
    ],
    ids=["no Redis", "a broker and no Redis", "bad broker", "bad number"],
)
def test_a_missing_or_bad_setting_is_one_line(
    argv: list[str], variable: str, settings: dict[str, str], tmp_path: Path
) -> None:
    outcome = run(argv, tmp_path, **settings)

    assert outcome.code == os.EX_CONFIG
    assert outcome.line.startswith("kit: ")
    assert variable in outcome.line


def test_without_settings_celery_never_falls_back_to_its_default_broker(tmp_path: Path) -> None:
    code = """
from patterns.celery_queue import celery
from patterns.contract.settings import SettingsError
for _ in range(2):
    try:
        url = celery.conf.broker_url
    except SettingsError:
        continue
    raise AssertionError(url)
"""
    python(code, tmp_path)


@pytest.mark.parametrize("broker", ["redis://127.0.0.1:1/0", "amqp://127.0.0.1:1"])
def test_create_app_leaves_the_celery_configuration_as_it_was(broker: str, tmp_path: Path) -> None:
    code = """
from patterns.celery_queue import celery, create_app
before, options = dict(celery.conf), dict(celery.conf.broker_transport_options)
create_app()
assert dict(celery.conf) == before
assert celery.conf.broker_transport_options == options
assert not any("timeout" in name and name != "visibility_timeout" for name in options), options
assert celery.connection_for_write().transport_options == options
"""
    python(code, tmp_path, REDIS_URL=_NOWHERE, KIT_BROKER_URL=broker)


def test_a_task_has_the_limits_of_the_settings(tmp_path: Path) -> None:
    settings = Settings(redis_url=_NOWHERE, task_timeout_seconds=60, webhook_timeout_seconds=7)
    found = configuration(settings)
    attempt = 7 + HARD_LIMIT_AFTER_SECONDS

    assert (found["task_soft_time_limit"], found["task_time_limit"]) == (60, 60 + HARD_LIMIT_AFTER_SECONDS)
    assert found["task_annotations"][DELIVER] == {
        "soft_time_limit": attempt,
        "time_limit": attempt + HARD_LIMIT_AFTER_SECONDS,
    }
    code = """
from patterns.celery_queue import celery
celery.finalize()
run_agent, deliver = celery.tasks["kit.run_agent"], celery.tasks["kit.deliver"]
print(run_agent.soft_time_limit, run_agent.time_limit, deliver.soft_time_limit, deliver.time_limit)
for task in (run_agent, deliver):
    assert task.acks_late and task.reject_on_worker_lost and task.ignore_result
"""
    outcome = python(code, tmp_path, REDIS_URL=_NOWHERE, KIT_TASK_TIMEOUT_SECONDS="60", KIT_WEBHOOK_TIMEOUT_SECONDS="7")
    assert [float(limit) for limit in outcome.out.split()] == [60, 65, 12, 17]
