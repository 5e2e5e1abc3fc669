"""What the learner's code needs beside itself: a real Redis."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from patterns.processes import Family, ProcessFailed
from tests.checkpoints.verdict import Inconclusive


class Services:
    """Servers that live as long as a run, each started when it is first asked for. For any thread."""

    def __init__(self) -> None:
        self._families: list[Family] = []
        self._free: list[str] = []
        self._one_at_a_time = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for family in self._families:
            family.stop(0.0)

    @contextmanager
    def empty_redis(self) -> Iterator[str]:
        """The URL of a private Redis with nothing in it, for the length of the block. A learner's own, by REDIS_URL,
        is left alone.

        Raises `Inconclusive` when none can be started.
        """
        import redis  # most exercises need none, and should not wait for it

        with self._one_at_a_time:
            url = self._free.pop() if self._free else self._start()
        try:
            with redis.Redis.from_url(url) as client:
                client.flushall()
            yield url
        finally:
            self._free.append(url)

    def _start(self) -> str:
        from patterns.redis_server import start_redis

        family = Family()
        self._families.append(family)
        try:
            return start_redis(family).url
        except ProcessFailed as error:
            raise Inconclusive(str(error)) from None
