"""The service that the learner's code needs: a real Redis."""

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self
from uuid import uuid4

from patterns.serving.processes import Family, ProcessFailed
from patterns.serving.redis_wire import Reply, ask_redis
from tests.checkpoints.engine.diagnosis.failures import Inconclusive

if TYPE_CHECKING:
    from redis import Redis

    from patterns.serving.redis_server import RedisServer


_SILENT = "The Redis of this run does not respond. Run the check again."


class PrivateRedis:
    """A Redis that no other check uses at this time, and what a check can do with it."""

    def __init__(self, server: "RedisServer") -> None:
        self._server = server
        self.url = server.url

    def empty(self) -> None:
        """Delete everything. Raises `Inconclusive` if Redis does not respond."""
        try:
            self._server.empty()
        except OSError:
            raise Inconclusive(_SILENT) from None

    def pass_time(self, seconds: float) -> None:
        """Delete every key whose time to live is shorter than this."""
        with self._client() as client:
            for database in client.info("keyspace"):
                client.select(int(database.removeprefix("db")))
                for key in client.scan_iter(count=1000):
                    if 0 <= client.pttl(key) < 1000 * seconds:
                        client.delete(key)

    def taken(self, about: str) -> str:
        """The message with this text in it that a Celery worker has received but not yet acknowledged."""
        kept = self._ask("HVALS", "unacked")
        return next((str(entry) for entry in kept or [] if about in str(entry)), "")

    def expiry(self, about: str) -> str:
        """When the queued message with this text in it expires; empty if never.

        Learners may keep other lists in Redis: entries that are not messages are skipped.
        """
        with self._client() as client:
            queues = [name for name in client.scan_iter(count=1000) if client.type(name) == b"list"]
            waiting = [entry for queue in queues for entry in client.lrange(queue, 0, -1) if about.encode() in entry]
        for entry in waiting:
            with suppress(ValueError, LookupError, TypeError):
                return str(json.loads(entry)["headers"]["expires"] or "")
        return ""

    def deliver(self, taken: str) -> None:
        """Put a received message back into its queue, like a broker that considers the worker dead."""
        message, _, queue = json.loads(taken)
        message["headers"]["redelivered"] = message["properties"]["delivery_info"]["redelivered"] = True
        message["properties"]["delivery_tag"] = str(uuid4())  # the first delivery may not be acknowledged yet
        self._ask("RPUSH", queue, json.dumps(message))

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """During the block, Redis accepts connections but does not respond."""
        self._server.child.kill(signal.SIGSTOP)
        try:
            yield
        finally:
            self._server.child.kill(signal.SIGCONT)

    def _ask(self, *words: str) -> Reply:
        try:
            return ask_redis(self.url, *words)
        except OSError:
            raise Inconclusive(_SILENT) from None

    def _client(self) -> "Redis":
        import redis  # most exercises do not need it, and should not wait for the import

        return redis.Redis.from_url(self.url, single_connection_client=True)


class Services:
    """Servers that live as long as a run, started on first use. Thread-safe."""

    def __init__(self) -> None:
        self._families: list[Family] = []
        self._free: list[PrivateRedis] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for family in self._families:
            family.stop(0.0)

    @contextmanager
    def empty_redis(self) -> Iterator[PrivateRedis]:
        """An empty Redis until the end of the block. Ignores REDIS_URL, so that a learner's own Redis is not touched.

        Raises `Inconclusive` if none can be started.
        """
        with self._lock:
            used = self._free.pop() if self._free else None
            redis = used or self._start()
        try:
            if used:
                used.empty()
            yield redis
        finally:
            self._free.append(redis)

    def _start(self) -> PrivateRedis:
        from patterns.serving.redis_server import start_redis

        family = Family()
        self._families.append(family)
        try:
            return PrivateRedis(start_redis(family))
        except ProcessFailed as error:
            raise Inconclusive(str(error)) from None
