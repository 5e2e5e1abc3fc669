"""Async agents share one HTTP client, in every pattern: all their tasks complete."""

import pytest

from patterns import PATTERNS
from tests.support.model_server import model_server
from tests.support.model_stories import ASYNC_AGENT, Thirty, thirty_tasks
from tests.support.serving import Servers
from tests.support.stories import Told


def live_through(servers: Servers) -> dict[str, Thirty]:
    """The same with each pattern."""
    with model_server() as model:
        settings = {"KIT_AGENT": ASYNC_AGENT, "MODEL_URL": model.url}
        served = servers.fleet(PATTERNS.values(), settings)
        return {name: thirty_tasks(one) for name, one in served.items()}


@pytest.fixture(scope="module")
def stories(told: Told) -> dict[str, Thirty]:
    """What happened."""
    stories: dict[str, Thirty] = told(__name__)
    return stories


@pytest.mark.parametrize("name", PATTERNS)
def test_twenty_tasks_in_a_row_complete(stories: dict[str, Thirty], name: str) -> None:
    assert stories[name].one_by_one == ["completed"] * 20


@pytest.mark.parametrize("name", PATTERNS)
def test_ten_tasks_at_once_complete(stories: dict[str, Thirty], name: str) -> None:
    assert stories[name].at_once == ["completed"] * 10
