"""Async agents share one HTTP client, in every pattern: all their tasks complete."""

import pytest

from patterns import PATTERNS
from tests.support.model_scenarios import ASYNC_AGENT, Thirty, thirty_tasks
from tests.support.model_server import model_server
from tests.support.scenarios import ScenarioResult
from tests.support.serving import Servers


def run_scenario(servers: Servers) -> dict[str, Thirty]:
    """Run thirty tasks with each pattern."""
    with model_server() as model:
        settings = {"KIT_AGENT": ASYNC_AGENT, "MODEL_URL": model.url}
        served = servers.fleet(PATTERNS.values(), settings)
        return {name: thirty_tasks(server) for name, server in served.items()}


@pytest.fixture(scope="module")
def scenarios(scenario_result: ScenarioResult) -> dict[str, Thirty]:
    """The result of the scenario."""
    scenarios: dict[str, Thirty] = scenario_result(__name__)
    return scenarios


@pytest.mark.parametrize("name", PATTERNS)
def test_twenty_tasks_in_a_row_complete(scenarios: dict[str, Thirty], name: str) -> None:
    assert scenarios[name].one_by_one == ["completed"] * 20


@pytest.mark.parametrize("name", PATTERNS)
def test_ten_tasks_at_once_complete(scenarios: dict[str, Thirty], name: str) -> None:
    assert scenarios[name].at_once == ["completed"] * 10
