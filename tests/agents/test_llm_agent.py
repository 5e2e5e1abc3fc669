"""The agent with a language model, against the stub model: alone, and behind a served pattern."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from patterns import IN_MEMORY_QUEUE
from patterns.agents.loading import load_agent
from patterns.agents.running import Agent, TaskEnded, run_on_event_loop
from patterns.contract.settings import Settings
from patterns.serving.processes import ProcessFailed
from patterns.serving.running import running
from tests.agents.stub_server import ServedStub, served_stub
from tests.support.serving import Served, Servers
from tests.support.waiting import PATIENCE_SECONDS, until

NAME = "patterns.agents.llm_agent:answer"
RESULT = "The tool said: Acme: 40 euros a month, 99.9 % uptime, support by e-mail."

pytestmark = [pytest.mark.thorough, pytest.mark.needs("llm")]


@pytest.fixture(scope="module")
def stub() -> Iterator[ServedStub]:
    """One stub for all tests of this file: each has its own prompt."""
    with served_stub() as served:
        yield served


def environment(stub: ServedStub) -> dict[str, str]:
    """The environment variables of the agent."""
    return {"OPENAI_BASE_URL": f"{stub.url}/v1", "OPENAI_API_KEY": "", "OPENAI_MODEL": "stub", "NO_PROXY": "*"}


@pytest.fixture(scope="module")
def agent(stub: ServedStub) -> Iterator[Agent]:
    """The agent in this process, on the event loop that all tests share."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(stub).items():
            patch.setenv(name, value)
        yield load_agent(Settings(agent=NAME))


@pytest.fixture(scope="module")
def served(stub: ServedStub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The agent behind in_memory_queue."""
    with Servers(tmp_path_factory.mktemp("servers"), callback_url="") as servers:
        yield servers.serve(IN_MEMORY_QUEUE, {**environment(stub), "KIT_AGENT": NAME})


def ignore(percent: int, message: str | None = None) -> None:
    """Ignore the progress."""


async def test_it_calls_its_tool_reports_what_it_does_and_answers(agent: Agent, stub: ServedStub) -> None:
    reported, messages = list[int](), list[str | None]()

    def report(percent: int, message: str | None = None) -> None:
        reported.append(percent)
        messages.append(message)

    result = await run_on_event_loop(agent, "compare", report)

    assert result.endswith(RESULT)
    assert stub.states("compare") == ["answered", "answered"]
    assert reported == sorted(reported)
    assert len(set(reported)) >= 2
    assert reported[0] > 0
    assert reported[-1] < 100
    assert messages == ["Waiting for the model", "Looking up Acme"]


async def test_tasks_at_once_and_after_each_other_share_one_client(agent: Agent, stub: ServedStub) -> None:
    prompts = [f"prompt {number}" for number in range(8)]
    for _ in range(2):
        results = await asyncio.gather(*(run_on_event_loop(agent, prompt, ignore) for prompt in prompts))
        assert all(result.endswith(RESULT) for result in results)

    assert all(stub.states(prompt) == ["answered"] * 4 for prompt in prompts)


async def test_a_429_is_retried_after_its_retry_after(agent: Agent, stub: ServedStub) -> None:
    began = time.monotonic()

    result = await run_on_event_loop(agent, "stub:429=1", ignore)

    assert result.endswith(RESULT)
    assert [call.status for call in stub.calls("stub:429=1")] == [429, 200, 200]
    assert time.monotonic() - began >= stub.model.retry_after


async def test_a_wait_for_retry_after_can_be_cancelled(
    agent: Agent, stub: ServedStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stub.model, "retry_after", 4 * int(PATIENCE_SECONDS))
    task = asyncio.ensure_future(run_on_event_loop(agent, "stub:429", ignore))
    await until(lambda: stub.states("stub:429") == ["answered"])

    task.cancel()

    done, _ = await asyncio.wait([task], timeout=PATIENCE_SECONDS)
    assert done
    assert task.cancelled()
    assert len(stub.calls("stub:429")) == 1


async def test_a_cancelled_agent_closes_its_connection(agent: Agent, stub: ServedStub) -> None:
    task = asyncio.ensure_future(run_on_event_loop(agent, "stub:hang", ignore))
    await until(lambda: stub.states("stub:hang") == ["open"])

    task.cancel()

    await asyncio.wait([task])
    assert task.cancelled()
    await until(lambda: stub.states("stub:hang") == ["cut"])


async def test_a_finished_task_stops_it_at_its_next_report(agent: Agent, stub: ServedStub) -> None:
    def raise_at_the_second(percent: int, message: str | None = None) -> None:
        if percent > 40:
            raise TaskEnded

    with pytest.raises(TaskEnded):
        await run_on_event_loop(agent, "ended", raise_at_the_second)

    assert stub.states("ended") == ["answered"]


def test_a_served_task_completes_with_a_tool_call(served: Served, stub: ServedStub) -> None:
    task = served.outcome(served.accept("compare, served"))

    assert task["status"] == "completed"
    assert task["result"].endswith(RESULT)
    assert stub.states("compare, served") == ["answered", "answered"]


def test_a_served_task_survives_a_429(served: Served, stub: ServedStub) -> None:
    task = served.outcome(served.accept("stub:429=2 served"))

    assert task["status"] == "completed"
    assert [call.status for call in stub.calls("stub:429=2 served")] == [429, 429, 200, 200]


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("stub:500 served", "ModelServerError: status_code: 500, model_name: stub, body: {'message': 'The stub model "),
        ("stub:cut served", "ModelConnectionError: Connection error."),
    ],
    ids=["500", "cut"],
)
def test_an_endpoint_that_keeps_failing_fails_the_task_and_says_how(
    served: Served, stub: ServedStub, prompt: str, message: str
) -> None:
    task = served.outcome(served.accept(prompt))

    assert (task["status"], task["error"]["code"]) == ("failed", "agent_error")
    assert task["error"]["message"].startswith(message)
    assert len(stub.calls(prompt)) == 5


def test_a_cancelled_task_closes_its_connection_to_the_model(served: Served, stub: ServedStub) -> None:
    task_id = served.accept("stub:hang served")
    stub.until("stub:hang served", "open")

    assert served.cancel(task_id).status_code == 200

    stub.until("stub:hang served", "cut")
    assert served.task(task_id)["status"] == "cancelled"


@pytest.mark.parametrize("missing", ["OPENAI_MODEL", "OPENAI_API_KEY"])
def test_a_missing_setting_is_reported_in_one_line_when_the_server_starts(tmp_path: Path, missing: str) -> None:
    env = {"OPENAI_MODEL": "stub", "OPENAI_API_KEY": "key", "OPENAI_BASE_URL": "", "KIT_AGENT": NAME, missing: ""}

    with pytest.raises(ProcessFailed) as raised, running(IN_MEMORY_QUEUE, env=env, log=tmp_path / "log"):
        pass

    assert f"KIT_AGENT={NAME}: {missing} is unset; set it" in str(raised.value)
    assert "\n" not in str(raised.value)
