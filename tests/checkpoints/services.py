"""What the learner's code needs beside itself: a real Redis."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

from patterns.processes import Family, ProcessFailed
from tests.checkpoints.verdict import Inconclusive

if TYPE_CHECKING:
    from redis import Redis

    from patterns.redis_server import RedisServer


class Services:
    """Servers that live as long as a run, each started when it is first asked for."""

    def __init__(self) -> None:
        self._family: Family | None = None
        self._redis: RedisServer | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._family:
            self._family.stop(0.0)

    def empty_redis(self) -> str:
        """The URL of a private Redis, emptied. A learner's own, by REDIS_URL, is left alone.

        Raises `Inconclusive` when none can be started.
        """
        from patterns.redis_server import start_redis  # most exercises need none, and should not wait for it

        if self._redis is None:
            try:
                self._family = Family()
                self._redis = start_redis(self._family)
            except ProcessFailed as error:
                raise Inconclusive(str(error)) from None
        with self._client() as client:
            client.flushall()
        return self._redis.url

    def pass_time(self, seconds: float) -> None:
        """Leave the Redis as it will be so many seconds from now: without what was to be kept for less."""
        with self._client() as client:
            for database in client.info("keyspace"):
                client.select(int(database.removeprefix("db")))
                for key in client.scan_iter(count=1000):
                    if 0 <= client.pttl(key) < 1000 * seconds:
                        client.delete(key)

    @contextmanager
    def redis_stands_still(self) -> Iterator[None]:
        """As long as the block lasts, the Redis takes connections and answers nothing."""
        assert self._redis
        self._redis.child.kill(signal.SIGSTOP)
        try:
            yield
        finally:
            self._redis.child.kill(signal.SIGCONT)

    def _client(self) -> "Redis":
        import redis

        assert self._redis
        return redis.Redis.from_url(self._redis.url, single_connection_client=True)
