"""A task that runs past KIT_TASK_TIMEOUT_SECONDS, which is one second here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

from tests.contract.conftest import everywhere
from tests.contract.task_shape import check_task
from tests.support.serving import Json, Served


@dataclass(frozen=True)
class Scenario:
    """What a client saw while, and after, an agent hung in each of the two workers."""

    meanwhile: list[int | None]
    hanging: list[Json]
    waiting: Json


@pytest.fixture(scope="module")
def scenarios(fleet: Callable[[str], Mapping[str, Served]]) -> Mapping[str, Scenario]:
    """The same scenario with all patterns, side by side."""

    def run_scenario(served: Served) -> Scenario:
        hanging = [served.accept(f"hang: {number}") for number in range(2)]
        waiting = served.accept("waits for a worker")
        meanwhile = [served.health(), served.submit("fail: soon").status_code, served.status(waiting).status_code]
        return Scenario(meanwhile, [served.outcome(task_id) for task_id in hanging], served.outcome(waiting))

    return everywhere(fleet("short"), run_scenario)


@pytest.fixture
def scenario(scenarios: Mapping[str, Scenario], name: str) -> Scenario:
    """The scenario with each pattern in turn."""
    return scenarios[name]


def test_a_hanging_agent_ends_as_failed(scenario: Scenario, short: Served) -> None:
    for task in scenario.hanging:
        check_task(task, short)
        assert task["status"] == "failed"
        assert task["error"]["code"] == "timeout"
        assert "1 s" in task["error"]["message"]
        assert task["result"] is None


def test_the_server_answers_while_agents_hang(scenario: Scenario) -> None:
    assert scenario.meanwhile == [200, 202, 200]


def test_workers_are_free_again_after_a_timeout(scenario: Scenario) -> None:
    assert scenario.waiting["status"] == "completed"
