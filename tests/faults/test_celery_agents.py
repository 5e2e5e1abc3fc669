"""Agents of all kinds in a real Celery worker: whatever an agent does, its task ends, and the worker goes on."""

from dataclasses import dataclass

import pytest

from patterns import CELERY_QUEUE
from tests.support.scenarios import ScenarioResult
from tests.support.serving import Json, Servers

_GOOD = ["sync_agent", "async_agent", "coroutine_from_sync", "callable_agent"]
_BAD = {
    "returns_a_number": "TypeError",
    "returns_none": "TypeError",
    "raises": "ValueError: the first line and the second",
    "raises_later": "LookupError",
    "exits": "SystemExit",
    "exits_later": "SystemExit",
    "stops_iteration": "no more",
    "cancels_itself": "CancelledError",
    "interrupts": "KeyboardInterrupt",
}
_DEADLY = "kills_its_process"
_LATE = ["catches_everything", "works_until_ended", "swallows_cancellation"]


@dataclass(frozen=True)
class Scenario:
    """All these agents ran together, and some good ones after them."""

    outcomes: dict[str, Json]
    runs: int
    afterwards: list[str]


def run_scenario(servers: Servers) -> Scenario:
    """Celery with the agents of `tests/support/agents.py`."""
    settings = {"KIT_AGENT": "tests.support.agents:by_prompt", "KIT_TASK_TIMEOUT_SECONDS": "1", "KIT_WORKERS": "4"}
    served = servers.serve(CELERY_QUEUE, {**settings, "KIT_GRACE_SECONDS": "1"})
    runs = served.running.family.folder / "runs.txt"
    prompts = {agent: f"{agent}:" for agent in [*_LATE, *_BAD, *_GOOD]} | {_DEADLY: f"{_DEADLY}:{runs}"}
    task_ids = {agent: served.accept(prompt) for agent, prompt in prompts.items()}
    outcomes = {agent: served.outcome(task_id) for agent, task_id in task_ids.items()}
    afterwards = [served.outcome(served.accept(f"sync_agent:{number}"))["status"] for number in range(8)]
    served.check_alive()
    return Scenario(outcomes, len(runs.read_text().splitlines()), afterwards)


@pytest.fixture(scope="module")
def scenario(scenario_result: ScenarioResult) -> Scenario:
    """What came of them."""
    scenario: Scenario = scenario_result(__name__)
    return scenario


@pytest.mark.parametrize("agent", _GOOD)
def test_a_good_agent_completes(scenario: Scenario, agent: str) -> None:
    assert scenario.outcomes[agent]["status"] == "completed"
    assert scenario.outcomes[agent]["result"].endswith(f"{agent}:")


@pytest.mark.parametrize(("agent", "message"), _BAD.items(), ids=_BAD)
def test_a_bad_agent_fails_with_one_line(scenario: Scenario, agent: str, message: str) -> None:
    task = scenario.outcomes[agent]
    assert task["status"] == "failed"
    assert task["error"]["code"] == "agent_error"
    assert message in task["error"]["message"]
    assert "\n" not in task["error"]["message"]


@pytest.mark.parametrize("agent", _LATE)
def test_an_agent_that_does_not_listen_ends_as_timed_out(scenario: Scenario, agent: str) -> None:
    assert scenario.outcomes[agent]["status"] == "failed"
    assert scenario.outcomes[agent]["error"]["code"] == "timeout"


def test_an_agent_that_kills_its_worker_each_time_fails_after_a_few_runs(scenario: Scenario) -> None:
    assert scenario.outcomes[_DEADLY]["status"] == "failed"
    assert scenario.outcomes[_DEADLY]["error"]["code"] == "worker_lost"
    assert scenario.runs == 3


def test_the_worker_goes_on_after_all_of_them(scenario: Scenario) -> None:
    assert scenario.afterwards == ["completed"] * 8
