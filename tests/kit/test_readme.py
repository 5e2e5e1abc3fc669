"""The README cannot drift: what it tells a newcomer to type is run here as it stands.

Only the port is another one, and `uv run` is left out: the tests run in its environment already. The two
commands at the top are run by `.ci/run`.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from patterns.processes import Family
from patterns.redis_server import free_port, start_redis
from patterns.serving import wait_until_healthy
from tests.waiting import eventually

README = Path(__file__).parents[2] / "README.md"
DEADLINE_SECONDS = 40
FAST = {"KIT_AGENT_STEPS": "2", "KIT_AGENT_STEP_SECONDS": "0.05", "COLUMNS": "200"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)


def block(language: str, part: str) -> str:
    (found,) = [b for b in blocks(language) if part in b]
    return found


def as_here(command: str, url: str) -> list[str]:
    """The words of a README command, with this environment's Python and this test's server."""
    words = shlex.split(command.replace("uv run kit", f"{sys.executable} -m kit"))
    return [word.replace("localhost:8000", url.removeprefix("http://")) for word in words]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of what the README says to serve."""
    yield from serve(block("sh", "kit serve in_memory_queue"), tmp_path_factory.mktemp("served"), {})


def serve(command: str, folder: Path, env: dict[str, str]) -> Iterator[str]:
    """Run a command that serves, and give its URL; its log is the file `log` in `folder`."""
    assignments, _, rest = command.strip().partition("uv run ")
    env = env | dict(word.split("=", 1) for word in assignments.split())
    process = subprocess.Popen(
        [*as_here(f"uv run {rest}", ""), "--port", "0"],
        env={**os.environ, **FAST, **env, "PYTHONPATH": str(README.parent)},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=(folder / "log").open("w"),
        text=True,
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if found := re.search(r" at (http://\S+)", line):
                yield found[1]
                break
        else:
            pytest.fail(f"{command} ended before it said where it serves")
    finally:
        process.terminate()
        process.wait(DEADLINE_SECONDS)


def run(argv: list[str]) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(README.parent)}
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False)


def test_the_two_commands_stand_within_the_first_twenty_lines() -> None:
    top = README.read_text().splitlines()[:20]
    assert "pip install uv && uv run kit bench --quick" in top
    assert "pip install uv && uv run pytest" in top


def test_the_submit_command_prints_the_result(served: str) -> None:
    ended = run([*as_here(block("sh", "kit submit").strip(), served), "--url", served])
    assert ended.returncode == 0, ended.stderr
    assert "(2 steps" in ended.stdout


def test_the_three_requests_by_hand_are_answered_as_it_says(served: str) -> None:
    submit, status, held = [as_here(line, served) for line in block("sh", "curl -i").strip().splitlines()]
    accepted = curl(submit)
    assert accepted.status_code == 202
    task_id = accepted.json()["task_id"]
    assert curl(status, task_id).json()["status"] in {"pending", "running", "completed"}
    assert curl(held, task_id).json()["status"] == "completed"


def test_the_python_example_prints_a_result(served: str, tmp_path: Path) -> None:
    example = tmp_path / "example.py"
    example.write_text(block("python", "PollingClient").replace("http://127.0.0.1:8000", served))
    ended = run([sys.executable, str(example)])
    assert ended.returncode == 0, ended.stderr
    assert "100 %" in ended.stdout
    assert "(2 steps" in ended.stdout


def test_your_own_agent_is_run_where_it_says(tmp_path: Path) -> None:
    (tmp_path / "my_agent.py").write_text("def answer(prompt, report_progress):\n    return prompt.upper()\n")
    for url in serve(block("sh", "KIT_AGENT="), tmp_path, {}):
        ended = run([sys.executable, "-m", "kit", "submit", "loud", "--url", url])
        assert ended.stdout.strip() == "LOUD", ended.stderr


def test_a_log_for_programs_and_metrics_are_as_it_shows_them(tmp_path: Path) -> None:
    logged, metrics, _ = block("sh", "/metrics").strip().splitlines()
    for url in serve(logged, tmp_path, {}):
        ended = run([sys.executable, "-m", "kit", "submit", "hello", "--url", url])
        assert ended.returncode == 0, ended.stderr
        assert 'longjobs_tasks_finished_total{code="",state="completed"} 1.0' in curl(as_here(metrics, url)).text
    shown = json.loads(block("text", '"task_id"'))
    (finished,) = [line for line in printed(tmp_path / "log") if line["message"] == "finished"]
    assert list(finished) == list(shown)
    assert (finished["logger"], finished["state"]) == (shown["logger"], shown["state"])


def test_the_spans_of_a_task_share_one_trace_id(tmp_path: Path) -> None:
    _, _, traced = block("sh", "/metrics").strip().splitlines()
    for url in serve(traced, tmp_path, {"OTEL_BSP_SCHEDULE_DELAY": "50"}):
        ended = run([sys.executable, "-m", "kit", "submit", "hello", "--url", url])
        assert ended.returncode == 0, ended.stderr
        spans = eventually(
            lambda: [span for span in printed(tmp_path / "log") if "longjobs.task_id" in span["attributes"]],
            lambda spans: len(spans) == 3,
        )
    assert {span["name"] for span in spans} == {"submit", "wait", "run"}
    assert len({span["context"]["trace_id"] for span in spans}) == 1


def printed(log: Path) -> list[dict[str, Any]]:
    """The whole lines of a log that are JSON."""
    return [
        json.loads(line) for line in log.read_text().splitlines(True) if line.startswith("{") and line.endswith("}\n")
    ]


def test_without_the_kit_a_worker_and_uvicorn_serve_the_pattern(tmp_path: Path) -> None:
    _, worker, web = block("sh", "celery -A").strip().splitlines()
    with Family(tmp_path / "log") as family:
        port = free_port()
        env = {**os.environ, **FAST, "REDIS_URL": start_redis(family).url, "PYTHONPATH": str(README.parent)}
        for command in (worker.removeprefix("uv run "), f"{web.removeprefix('uv run ')} --port {port}"):
            family.start(command, [sys.executable, "-m", *shlex.split(command)], env)
        wait_until_healthy(f"http://127.0.0.1:{port}", family)
        ended = run([sys.executable, "-m", "kit", "submit", "hello", "--url", f"http://127.0.0.1:{port}"])
    assert ended.returncode == 0, ended.stderr
    assert "(2 steps" in ended.stdout


def test_the_course_begins_as_it_says(tmp_path: Path) -> None:
    init, cd, watch = block("sh", "cd my-exercises").strip().splitlines()
    env = {**os.environ, "PYTHONPATH": str(README.parent)}
    made = subprocess.run(as_here(init, ""), cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    folder = tmp_path / cd.removeprefix("cd ")
    assert watch == "uv run kit watch"  # which tests/kit/test_watch_command.py runs in a terminal
    ended = subprocess.run(
        as_here("uv run kit check", ""), cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert "NOT_IMPLEMENTED" in ended.stdout


def test_the_mistake_that_it_shows_is_shown_so(tmp_path: Path) -> None:
    shown = block("text", "LOOP_BLOCKED")
    kept = (README.parent / "tests/mistakes/ex01_submit_and_poll/async_work_that_blocks.txt").read_text()
    for line in shown.splitlines():
        moment_left_out = re.sub(r"^ +[0-9.]+ s", "  -.-- s", line)
        assert re.sub(r"\bwithin [0-9.]+ s\b", "within … s", moment_left_out) in kept


def test_every_file_it_names_is_there() -> None:
    named = re.findall(r"\]\(([^)#:]+)\)", README.read_text())
    assert named
    assert [name for name in named if not (README.parent / name).exists()] == []


def curl(words: list[str], task_id: str = "") -> httpx.Response:
    """What curl would do with these words (`-i`, `-H`, `-d`): not every machine has it."""
    headers, body, url = {}, None, ""
    rest = iter(words[1:])
    for word in rest:
        if word == "-H":
            name, _, value = next(rest).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = next(rest)
        elif word != "-i":
            url = word.replace("TASK_ID", task_id)
    return httpx.request("POST" if body else "GET", f"http://{url}", headers=headers, content=body, timeout=30)
