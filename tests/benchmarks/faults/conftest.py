"""The stories of this folder mostly wait, so they run concurrently."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.serving import Servers
from tests.support.stories import Told, lived_through, put_stories_last

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests without a story first."""
    put_stories_last(items, _HERE)


@pytest.fixture(scope="package")
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """The stories, which start when a test requests the first of them."""
    with (
        Servers(tmp_path_factory.mktemp("servers"), callback_url="") as servers,
        lived_through(request.session, _HERE, servers, at_once=2) as tell,
    ):
        yield tell
