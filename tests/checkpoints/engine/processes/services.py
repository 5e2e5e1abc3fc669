"""What the learner's code needs beside itself: a real Redis."""

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


_SILENT = "The Redis of this run does not answer. Run the check again."


class PrivateRedis:
    """A Redis that nobody else uses at this time, with all that a check may do to it."""

    def __init__(self, server: "RedisServer") -> None:
        self._server = server
        self.url = server.url

    def empty(self) -> None:
        """Take out everything. Raises `Inconclusive` when it does not answer."""
        try:
            self._server.empty()
        except OSError:
            raise Inconclusive(_SILENT) from None

    def pass_time(self, seconds: float) -> None:
        """Leave it as it will be so many seconds from now: without what was to be kept for less."""
        with self._client() as client:
            for database in client.info("keyspace"):
                client.select(int(database.removeprefix("db")))
                for key in client.scan_iter(count=1000):
                    if 0 <= client.pttl(key) < 1000 * seconds:
                        client.delete(key)

    def taken(self, about: str) -> str:
        """The message with this text in it that a Celery worker has taken, and not acknowledged yet."""
        kept = self._ask("HVALS", "unacked")
        return next((str(entry) for entry in kept or [] if about in str(entry)), "")

    def expiry(self, about: str) -> str:
        """When the message with this text in it, which waits for a Celery worker, expires; empty when never.

        Learners may keep lists beside the queues: what is no message is passed over.
        """
        with self._client() as client:
            queues = [name for name in client.scan_iter(count=1000) if client.type(name) == b"list"]
            waiting = [entry for queue in queues for entry in client.lrange(queue, 0, -1) if about.encode() in entry]
        for entry in waiting:
            with suppress(ValueError, LookupError, TypeError):
                return str(json.loads(entry)["headers"]["expires"] or "")
        return ""

    def deliver(self, taken: str) -> None:
        """Put a message that was taken into its queue once more, as a broker that takes its worker for dead."""
        message, _, queue = json.loads(taken)
        message["headers"]["redelivered"] = message["properties"]["delivery_info"]["redelivered"] = True
        message["properties"]["delivery_tag"] = str(uuid4())  # the first delivery may not be acknowledged yet
        self._ask("RPUSH", queue, json.dumps(message))

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """As long as the block lasts, it takes connections and answers nothing."""
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
        import redis  # most exercises need none, and should not wait for it

        return redis.Redis.from_url(self.url, single_connection_client=True)


class Services:
    """Servers that live as long as a run, each started when it is first asked for. For any thread."""

    def __init__(self) -> None:
        self._families: list[Family] = []
        self._free: list[PrivateRedis] = []
        self._one_at_a_time = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for family in self._families:
            family.stop(0.0)

    @contextmanager
    def empty_redis(self) -> Iterator[PrivateRedis]:
        """A Redis with nothing in it, for the length of the block. A learner's own, by REDIS_URL, is left alone.

        Raises `Inconclusive` when none can be started.
        """
        with self._one_at_a_time:
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
