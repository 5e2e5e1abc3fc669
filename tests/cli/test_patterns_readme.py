"""patterns/README.md stays true: its commands and programs are run here, its tables compared with the code."""

import json
import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from patterns.agents import stub_model
from patterns.contract import ErrorCode, Task, TaskStatus
from patterns.contract.settings import Settings, environment_variable, new_webhook_secret
from patterns.serving.processes import Family
from patterns.serving.readiness import wait_until_healthy
from patterns.serving.redis_server import start_redis
from patterns.serving.sockets import free_port
from patterns.web.problems import CONNECTION_ERRORS
from patterns.webhook import create_app
from tests.cli.documents import FAST, OF_BENCHMARKS, OF_PATTERNS, README, ROOT, as_here, curl, run, serve
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the server that it starts before the three requests."""
    assert "`uv run kit serve in_memory_queue`" in OF_PATTERNS.section("The HTTP contract")
    yield from serve("uv run kit serve in_memory_queue", tmp_path_factory.mktemp("served"))


def test_the_three_requests_by_hand_are_answered_as_it_says(served: str) -> None:
    submit, status, held = [as_here(line, served) for line in OF_PATTERNS.block("sh", "curl -i").strip().splitlines()]
    accepted = curl(submit)
    assert accepted.status_code == 202
    task_id = accepted.json()["task_id"]
    assert curl(status, task_id).json()["status"] in {"pending", "running", "completed"}
    assert curl(held, task_id).json()["status"] == "completed"


def test_the_python_example_prints_a_result(served: str, tmp_path: Path) -> None:
    example = tmp_path / "example.py"
    example.write_text(OF_PATTERNS.block("python", "PollingClient").replace("http://127.0.0.1:8000", served))
    ended = run([sys.executable, str(example)])
    assert ended.returncode == 0, ended.stderr
    assert "100 %" in ended.stdout
    assert "(2 steps" in ended.stdout


def test_a_callback_brings_the_result_to_a_receiver_with_the_secret(tmp_path: Path) -> None:
    started, submit = OF_PATTERNS.block("sh", "--webhook").strip().splitlines()
    secret = new_webhook_secret()
    for url in serve(started, tmp_path, {"KIT_WEBHOOK_SECRET": secret}):
        ended = run([*as_here(submit.replace("SECRET", secret)), "--url", url])
        assert ended.returncode == 0, ended.stderr
        assert "(2 steps" in ended.stdout


@pytest.mark.thorough
@pytest.mark.needs("llm")
def test_the_agent_to_start_from_completes_two_tasks_with_the_stub_model(tmp_path: Path) -> None:
    stub, settings, started, submit, calls = OF_PATTERNS.block("sh", "stub_model").strip().splitlines()
    (tmp_path / "stub").mkdir()
    for model in serve(f"{stub} --delay 0", tmp_path / "stub"):
        url = model.removesuffix("/v1")
        env = dict(word.split("=", 1) for word in settings.removeprefix("export ").split())
        assert env["OPENAI_BASE_URL"] == "http://127.0.0.1:8001/v1"
        for served in serve(started, tmp_path, {**env, "OPENAI_BASE_URL": model, "NO_PROXY": "*"}):
            for _ in range(2):  # the second task uses the client of the first
                ended = run([*as_here(submit), "--url", served])
                assert ended.returncode == 0, ended.stderr
                assert "The tool said: Acme: 40 euros" in ended.stdout
        listed = curl(as_here(calls.replace("localhost:8001", url.removeprefix("http://")))).json()
        assert [call["state"] for call in listed] == ["answered"] * 4


def test_it_names_every_marker_of_the_stub_model() -> None:
    markers = set(re.findall(r"`stub:(\w+)[^`]*`", OF_PATTERNS.section("An agent to start from")))
    assert markers == set(re.findall(r"^- `stub:(\w+)", stub_model.__doc__ or "", re.MULTILINE))


def test_the_json_log_and_the_metrics_are_as_it_shows_them(tmp_path: Path) -> None:
    logged, metrics, _ = OF_PATTERNS.block("sh", "/metrics").strip().splitlines()
    for url in serve(logged, tmp_path):
        ended = run(as_here(f"uv run kit submit hello --url {url}"))
        assert ended.returncode == 0, ended.stderr
        assert 'longjobs_tasks_finished_total{code="",state="completed"} 1.0' in curl(as_here(metrics, url)).text
    shown = json.loads(OF_PATTERNS.block("text", '"task_id"'))
    (finished,) = [line for line in printed(tmp_path / "log") if line["message"] == "finished"]
    assert list(finished) == list(shown)
    assert (finished["logger"], finished["state"]) == (shown["logger"], shown["state"])


def test_the_spans_of_a_task_share_one_trace_id(tmp_path: Path) -> None:
    _, _, traced = OF_PATTERNS.block("sh", "/metrics").strip().splitlines()
    for url in serve(traced, tmp_path, {"OTEL_BSP_SCHEDULE_DELAY": "50"}):
        ended = run(as_here(f"uv run kit submit hello --url {url}"))
        assert ended.returncode == 0, ended.stderr
        spans = eventually(
            lambda: [span for span in printed(tmp_path / "log") if "longjobs.task_id" in span["attributes"]],
            lambda spans: len(spans) == 3,
        )
    assert {span["name"] for span in spans} == {"submit", "wait", "run"}
    assert len({span["context"]["trace_id"] for span in spans}) == 1


def printed(log: Path) -> list[dict[str, Any]]:
    """The lines of a log that are JSON."""
    return [
        json.loads(line) for line in log.read_text().splitlines(True) if line.startswith("{") and line.endswith("}\n")
    ]


def test_without_the_kit_a_worker_and_uvicorn_serve_the_pattern(tmp_path: Path) -> None:
    _, worker, web = OF_PATTERNS.block("sh", "celery -A").strip().splitlines()
    with Family(tmp_path / "log") as family:
        port = free_port()
        env = {**os.environ, **FAST, "REDIS_URL": start_redis(family).url, "PYTHONPATH": str(ROOT)}
        for command in (worker.removeprefix("uv run "), f"{web.removeprefix('uv run ')} --port {port}"):
            family.start(command, [sys.executable, "-m", *shlex.split(command)], env)
        wait_until_healthy(f"http://127.0.0.1:{port}", family)
        ended = run(as_here(f"uv run kit submit hello --url http://127.0.0.1:{port}"))
    assert ended.returncode == 0, ended.stderr
    assert "(2 steps" in ended.stdout


def test_its_table_of_requests_has_every_route_and_every_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIT_WEBHOOK_SECRET", new_webhook_secret())
    listed = {
        request: set(re.findall(r"`(\d{3})`", answers))
        for request, answers in re.findall(r"^\| `([A-Z]+ /\S+)` \| (.*) \|$", OF_PATTERNS.text, re.MULTILINE)
    }
    before = {str(status) for status in CONNECTION_ERRORS} - {"503"}
    documented = {
        f"{method.upper()} {path}": set(operation["responses"]) - before
        for path, methods in create_app().openapi()["paths"].items()
        for method, operation in methods.items()
    }
    assert listed.keys() == documented.keys()
    for request, answers in documented.items():
        assert answers - {"503"} == listed[request] - {"503"}, request


def test_it_names_every_field_status_and_error_code_of_a_task() -> None:
    words = set(re.findall(r"\w+", " ".join(re.findall(r"`[^`]+`", OF_PATTERNS.section("The HTTP contract")))))
    assert {*Task.model_fields, *TaskStatus, *ErrorCode} - words == set()


def test_its_table_of_settings_has_the_true_defaults() -> None:
    defaults = {environment_variable(name): field.default for name, field in Settings.model_fields.items()}
    rows = re.findall(r"^\| (`[A-Z_`, ]+`) \| (.*?) \| ", OF_PATTERNS.section("Settings"), re.MULTILINE)
    assert rows
    for names, values in rows:
        for name, value in zip(names.split(", "), values.split(", "), strict=True):
            default = defaults[name.strip("`")]
            assert value == ("unset" if default is None else f"`{default}`"), name


def test_every_setting_that_a_readme_names_exists() -> None:
    known = {environment_variable(name) for name in Settings.model_fields}
    for document in (README, OF_PATTERNS, OF_BENCHMARKS):
        assert set(re.findall(r"\b(?:KIT_[A-Z_]+|REDIS_URL)\b", document.text)) <= known, document.name
