"""Both sides of the records in Redis."""

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest
import redis

from patterns.contract.settings import Settings
from patterns.redis_store.store import RedisStore
from patterns.redis_store.worker_records import WorkerRecords
from patterns.serving.processes import Family
from patterns.serving.redis_server import RedisServer, start_redis
from tests.patterns.redis_keys import Keys


@pytest.fixture(scope="package")
def redis_server() -> Iterator[RedisServer]:
    """A private Redis for tests that need no more than that."""
    with Family() as family:
        yield start_redis(family)


@pytest.fixture
def settings() -> Settings:
    """Room for two tasks; each test gets its own keys."""
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
