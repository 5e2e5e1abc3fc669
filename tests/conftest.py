"""What all tests share."""

from collections.abc import Iterator

import pytest

from tests.receiving import Callbacks, receiving


@pytest.fixture(scope="session")
def callbacks() -> Iterator[Callbacks]:
    """Where the webhook pattern tells its outcomes in these tests."""
    with receiving() as taken:
        yield taken
