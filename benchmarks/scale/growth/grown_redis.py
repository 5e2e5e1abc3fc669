"""The Redis of a grown server: copies of a record, bytes in use, and unfinished tasks."""

import random
from typing import Any

import redis

from patterns.serving.waiting import until

_BATCH = 1000
_REWRITE_SECONDS = 120.0
#: KEYS: a real record, and the new ones. ARGV: their expiry in milliseconds since the epoch. As a task does, it
#: writes the long result last, because the memory of a hash depends on the order of its writes.
_COPY = """
local before, result = {}, {}
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  local part = fields[i] == 'result' and result or before
  part[#part + 1] = fields[i]
  part[#part + 1] = fields[i + 1]
end
for i = 2, #KEYS do
  redis.call('HSET', KEYS[i], unpack(before))
  redis.call('HSET', KEYS[i], unpack(result))
  redis.call('PEXPIREAT', KEYS[i], ARGV[1])
end
"""
#: Buffers of clients and the journal, which vary over time.
_BUFFERS = ("clients.normal", "clients.slaves", "aof.buffer", "replication.backlog")


class GrownRedis:
    """The private Redis of one server."""

    def __init__(self, url: str, rng: random.Random) -> None:
        self._client: Any = redis.Redis.from_url(url)
        self._rng = rng

    def copy(self, task_id: str, records: int, expire_at: float | None) -> list[str]:
        """Write copies of a task's record. Returns some of their ids. `expire_at` is in seconds since the epoch."""
        key = next(self._client.scan_iter(match=f"*task:{task_id}", count=10_000)).decode()
        script = self._client.register_script(_COPY)
        expires = int(1000 * expire_at) if expire_at is not None else self._client.pexpiretime(key)
        ids: list[str] = []
        while records > 0:
            ids = [f"{self._rng.getrandbits(128):032x}" for _ in range(min(records, _BATCH))]
            script(keys=[key, *(key.replace(task_id, copy) for copy in ids)], args=[expires])
            records -= len(ids)
        until(lambda: not self._client.info("persistence")["aof_rewrite_in_progress"], _REWRITE_SECONDS, pause=0.1)
        return ids

    def bytes_in_use(self) -> int:
        """The exact bytes in use, without buffers."""
        stats = self._client.memory_stats()
        return int(stats["total.allocated"]) - sum(int(stats.get(name, 0)) for name in _BUFFERS)

    def key_count(self) -> int:
        """The number of keys."""
        return int(self._client.dbsize())

    def has_records(self) -> bool:
        """Whether any record exists."""
        return any(self._client.scan_iter(match="*task:*"))

    def has_unfinished_tasks(self) -> bool:
        """Whether any task is unfinished."""
        return any(self._client.zcard(key) for key in self._client.keys("*unfinished"))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
