"""The servers of the scenarios, which run side by side."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.callback_receiver import CallbackReceiver
from tests.support.scenarios import ScenarioResult, put_scenarios_last, running_scenarios
from tests.support.serving import Servers

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The other tests come first: some change things for the whole process (its PATH, its clock)."""
    put_scenarios_last(items, _HERE)


@pytest.fixture(scope="package")
def scenario_result(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ScenarioResult]:
    """The scenarios of this folder. They start when the first result is asked for."""
    callbacks: CallbackReceiver = request.getfixturevalue("callbacks")
    needs_rabbitmq = any("rabbitmq" in getattr(item, "fixturenames", ()) for item in request.session.items)
    rabbitmq = request.getfixturevalue("rabbitmq") if needs_rabbitmq else None
    with (
        Servers(tmp_path_factory.mktemp("servers"), callbacks.url, rabbitmq) as servers,
        running_scenarios(request.session, _HERE, servers, at_once=3) as result_of,
    ):
        yield result_of
