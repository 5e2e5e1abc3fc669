"""A pattern mounted in an existing application, as patterns/README.md says: every link includes the path."""

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from patterns import CELERY_QUEUE, PATTERNS, WEBHOOK
from patterns.contract.descriptor import Pattern
from patterns.contract.settings import new_webhook_secret
from patterns.polling import PollingClient
from patterns.serving.processes import Family
from patterns.serving.readiness import wait_until_answering
from patterns.serving.redis_server import start_redis
from patterns.serving.running import Role, running
from patterns.serving.sockets import listening_socket, url_of
from tests.cli.documents import OF_PATTERNS
from tests.support.callback_receiver import CallbackReceiver
from tests.support.waiting import PATIENCE_SECONDS, eventually

_SECRET = new_webhook_secret()
#: Its result is longer than a callback may be, so the callback says where it is.
_AGENT = "def answer(prompt, report_progress):\n    return prompt * 5000\n"


@contextmanager
def mounted(pattern: Pattern, folder: Path, program: str) -> Iterator[str]:
    """Serve `program` by plain uvicorn, with everything that the pattern needs; yields the outer URL."""
    (folder / "my_app.py").write_text(program)
    (folder / "my_agent.py").write_text(_AGENT)
    env = {
        "PYTHONPATH": os.pathsep.join([str(folder), str(Path(__file__).parents[2])]),
        "KIT_AGENT": "my_agent:answer",
        "KIT_WEBHOOK_SECRET": _SECRET,
        "KIT_WEBHOOK_ALLOW_PRIVATE": "1",
        "KIT_GRACE_SECONDS": "0.5",
    }
    with ExitStack() as stack:
        family = stack.enter_context(Family(folder / "log"))
        if "redis" in pattern.needs:
            env["REDIS_URL"] = start_redis(family).url
        if pattern.processes:
            worker = running(pattern, role=Role.WORKER, env=env, log=folder / "worker.log")
            stack.enter_context(worker)
        listener = stack.enter_context(listening_socket("127.0.0.1", 0))
        argv = [sys.executable, "-m", "uvicorn", "my_app:app", "--fd", str(listener.fileno()), "--log-level", "warning"]
        family.start("application", argv, {**os.environ, **env}, [listener.fileno()])
        wait_until_answering(url_of(listener), family)
        yield url_of(listener)


def program_for(pattern: Pattern) -> str:
    """The program of the README, with this pattern."""
    text = OF_PATTERNS.block("python", "app.mount")
    assert "patterns.in_memory_queue" in text
    return text.replace("patterns.in_memory_queue", pattern.module)


@pytest.mark.parametrize("name", PATTERNS)
def test_a_mounted_pattern_works_and_all_its_links_include_the_path(
    name: str, tmp_path: Path, callbacks: CallbackReceiver
) -> None:
    pattern = PATTERNS[name]
    with mounted(pattern, tmp_path, program_for(pattern)) as url, httpx.Client(base_url=url, trust_env=False) as http:
        body = {"prompt": "word ", **({"callback_url": callbacks.url} if pattern.can_call_back else {})}
        accepted = http.post("/jobs/agent/submit", json=body)

        assert accepted.status_code == 202, accepted.text
        location = accepted.headers["location"]
        assert location == f"/jobs/agent/status/{accepted.json()['task_id']}"
        status = http.get(location, headers={"Prefer": "wait=20"}, timeout=PATIENCE_SECONDS).json()
        assert (status["status"], status["result"]) == ("completed", "word " * 5000)
        assert http.get("/jobs/health").json() == {"status": "ok", "pattern": name}
        assert "/jobs/docs" in http.get("/jobs/nothing").json()["detail"]
        assert "/jobs/openapi.json" in http.get("/jobs/docs").text
        assert http.get("/jobs/openapi.json").json()["servers"] == [{"url": "/jobs"}]
        assert 'longjobs_submits_total{answer="accepted"' in http.get("/jobs/metrics").text
        assert http.post("/jobs/agent/submit", content=b" " * 300_000).status_code == 413
        if pattern.can_call_back:
            callback = eventually(lambda: callbacks.about(accepted.json()["task_id"]), bool)[0]
            assert http.get(callback["result_at"]).json()["result"] == "word " * 5000


async def test_the_client_takes_the_path_as_part_of_its_url(tmp_path: Path) -> None:
    pattern = PATTERNS["polling"]
    with mounted(pattern, tmp_path, program_for(pattern)) as url:
        async with PollingClient(f"{url}/jobs", deadline=PATIENCE_SECONDS) as client:
            task = await asyncio.wait_for(client.run("a"), PATIENCE_SECONDS)
    assert task.result == "a" * 5000


@pytest.mark.parametrize("pattern", [CELERY_QUEUE, WEBHOOK], ids=lambda pattern: pattern.name)
def test_without_the_lifespan_every_request_says_what_is_missing(pattern: Pattern, tmp_path: Path) -> None:
    forgetful = program_for(pattern).replace("FastAPI(lifespan=lifespan)", "FastAPI()")
    with mounted(pattern, tmp_path, forgetful) as url, httpx.Client(base_url=url, trust_env=False) as http:
        answers = [http.post("/jobs/agent/submit", json={"prompt": "x"}), http.get("/jobs/health")]
    assert [answer.status_code for answer in answers] == [503, 503]
    assert all("lifespan" in answer.json()["detail"] for answer in answers)
