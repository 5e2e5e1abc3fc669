"""What the learner's code needs beside itself: a real Redis."""

from types import TracebackType
from typing import Self

from patterns.processes import Family, ProcessFailed
from tests.checkpoints.verdict import Inconclusive


class Services:
    """Servers that live as long as a run, each started when it is first asked for."""

    def __init__(self) -> None:
        self._family: Family | None = None
        self._redis_url = ""

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
        import redis  # most exercises need none, and should not wait for it

        from patterns.redis_server import start_redis

        if self._family is None:
            try:
                self._family = Family()
                self._redis_url = start_redis(self._family).url
            except ProcessFailed as error:
                raise Inconclusive(str(error)) from None
        with redis.Redis.from_url(self._redis_url) as client:
            client.flushall()
        return self._redis_url
