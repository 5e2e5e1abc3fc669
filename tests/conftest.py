"""What all tests share."""

import os
from collections.abc import Iterator

import pytest

from patterns.compiled import keep_compiled
from patterns.rabbitmq_server import NoRabbitMQ, RabbitMQ, running_rabbitmq
from tests.receiving import Callbacks, receiving

keep_compiled()  # before the first server is started


@pytest.fixture(scope="session")
def callbacks() -> Iterator[Callbacks]:
    """Where the webhook pattern tells its outcomes in these tests."""
    with receiving() as taken:
        yield taken


@pytest.fixture(scope="session")
def rabbitmq_if_any() -> Iterator[RabbitMQ | None]:
    """A private RabbitMQ, which takes seconds to start. Who breaks it mends it. In CI it must be there."""
    try:
        with running_rabbitmq() as broker:
            yield broker
    except NoRabbitMQ as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        yield None


@pytest.fixture(scope="session")
def rabbitmq(rabbitmq_if_any: RabbitMQ | None) -> RabbitMQ:
    """The private RabbitMQ. Without one this test is skipped on a developer's machine."""
    if rabbitmq_if_any is None:
        pytest.skip("no RabbitMQ here (Debian: apt install rabbitmq-server)")
    return rabbitmq_if_any
