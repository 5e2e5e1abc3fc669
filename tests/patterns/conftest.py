"""Servers for stories in which something breaks, and both sides of the records in Redis."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import redis

from patterns.processes import Family
from patterns.redis_server import RedisServer, start_redis
from patterns.redis_store import RedisStore
from patterns.settings import Settings
from patterns.worker_records import WorkerRecords
from tests.patterns.redis_keys import Keys
from tests.receiving import Callbacks
from tests.serving import Servers
from tests.stories import Told, lived_through, put_stories_last

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The other tests come first: some change what is true for the whole process (its PATH, its clock)."""
    put_stories_last(items, _HERE)


@pytest.fixture(scope="package")
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """The stories of this folder. They begin when the first of them is asked for."""
    callbacks: Callbacks = request.getfixturevalue("callbacks")
    needs_rabbitmq = any("rabbitmq" in getattr(item, "fixturenames", ()) for item in request.session.items)
    rabbitmq = request.getfixturevalue("rabbitmq") if needs_rabbitmq else None
    with (
        Servers(tmp_path_factory.mktemp("servers"), callbacks.url, rabbitmq) as servers,
        lived_through(request.session, _HERE, servers, at_once=3) as tell,
    ):
        yield tell


@pytest.fixture(scope="package")
def redis_server() -> Iterator[RedisServer]:
    """A private Redis for tests that need no more than that."""
    with Family() as family:
        yield start_redis(family)


@pytest.fixture
def settings() -> Settings:
    """Room for two tasks; each test has keys of its own."""
    return Settings(queue_size=2, task_ttl_seconds=60, key_prefix=f"test-{uuid4().hex}:")


@pytest.fixture
async def store(settings: Settings, redis_server: RedisServer) -> AsyncIterator[RedisStore]:
    """The web side."""
    store = RedisStore(settings, redis_server.url)
    async with store.listening():
        yield store


@pytest.fixture
def worker(settings: Settings, redis_server: RedisServer) -> WorkerRecords:
    """The worker's side."""
    return WorkerRecords(settings, redis_server.url)


@pytest.fixture
def keys(settings: Settings, redis_server: RedisServer) -> Keys:
    """What is really in Redis."""
    return Keys(redis.Redis.from_url(redis_server.url, decode_responses=True), settings.key_prefix)
