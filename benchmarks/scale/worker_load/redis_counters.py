"""The counters of a Redis server: commands, CPU time and bytes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from statistics import fmean
from typing import Any

import redis


@dataclass(frozen=True)
class RedisUsage:
    """The increase of Redis's counters over some time."""

    seconds: float
    commands: float
    cpu_seconds: float
    memory: float


class RedisCounters:
    """Redis's own counters."""

    def __init__(self, url: str) -> None:
        self.client: Any = redis.Redis.from_url(url, decode_responses=True)

    @contextmanager
    def spent(self) -> Iterator[list[RedisUsage]]:
        """Append the usage within the block to the list when it ends."""
        spent: list[RedisUsage] = []
        before, began = self._read(), time.monotonic()
        yield spent
        after = self._read()
        spent.append(RedisUsage(time.monotonic() - began, *(b - a for a, b in zip(before, after, strict=True))))

    def bytes_of_records(self) -> float:
        """The mean size of a record according to Redis, over 500 records."""
        keys = islice(self.client.scan_iter("kit:task:*"), 500)
        return fmean(self.client.memory_usage(key, samples=0) for key in keys)

    def by_command(self) -> dict[str, int]:
        """The calls of each command."""
        return {
            name.removeprefix("cmdstat_"): int(stats["calls"])
            for name, stats in self.client.info("commandstats").items()
        }

    def _read(self) -> tuple[float, float, float]:
        info = self.client.info()
        cpu = info["used_cpu_sys"] + info["used_cpu_user"]
        return info["total_commands_processed"], cpu, info["used_memory"]
