"""The scenarios of this folder mostly wait, so they run concurrently."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.scenarios import ScenarioResult, put_scenarios_last, running_scenarios
from tests.support.serving import Servers

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests without a scenario first."""
    put_scenarios_last(items, _HERE)


@pytest.fixture(scope="package")
def scenario_result(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ScenarioResult]:
    """The results of the scenarios, which start when a test requests the first of them."""
    with (
        Servers(tmp_path_factory.mktemp("servers"), callback_url="") as servers,
        running_scenarios(request.session, _HERE, servers, at_once=2) as result_of,
    ):
        yield result_of
