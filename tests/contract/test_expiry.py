"""A finished record is kept for KIT_TASK_TTL_SECONDS, which is three seconds here, and then forgotten."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import uuid4

import httpx
import pytest

from tests.contract.conftest import everywhere
from tests.contract.task_shape import check_problem
from tests.support.serving import Json, Served
from tests.support.waiting import eventually


@dataclass(frozen=True)
class Scenario:
    """What a client saw of a completed, a failed and a cancelled task: first, and after they had expired."""

    first: list[Json]
    key: str
    later: list[httpx.Response]


@pytest.fixture(scope="module")
def scenarios(fleet: Callable[[str], Mapping[str, Served]]) -> Mapping[str, Scenario]:
    """The same scenario with all patterns, side by side."""

    def run_scenario(served: Served) -> Scenario:
        key = uuid4().hex
        task_ids = [served.accept("completes", key), served.accept("fail: soon"), served.accept("is cancelled")]
        served.cancel(task_ids[2])
        first = [served.outcome(task_id) for task_id in task_ids]

        def ask_all() -> list[httpx.Response]:
            return [served.status(task_id) for task_id in task_ids]

        later = eventually(ask_all, lambda answers: all(answer.status_code != 200 for answer in answers))
        return Scenario(first, key, later)

    return everywhere(fleet("short"), run_scenario)


@pytest.fixture
def scenario(scenarios: Mapping[str, Scenario], name: str) -> Scenario:
    """The scenario with each pattern in turn."""
    return scenarios[name]


def test_a_finished_task_is_kept_for_a_while(scenario: Scenario) -> None:
    assert [task["status"] for task in scenario.first] == ["completed", "failed", "cancelled"]


def test_an_expired_task_is_unknown(scenario: Scenario, short: Served) -> None:
    for answer, task in zip(scenario.later, scenario.first, strict=True):
        check_problem(answer, 404)
        check_problem(short.cancel(task["task_id"]), 404)


def test_an_idempotency_key_expires_with_its_task(scenario: Scenario, short: Served) -> None:
    again = short.submit("another body", scenario.key)

    assert again.status_code == 202
    assert again.json()["task_id"] not in {task["task_id"] for task in scenario.first}
