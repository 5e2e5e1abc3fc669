"""What the growth of Redis needs: copies of a record, the bytes in use, and what is left unfinished."""

import random
from typing import Any

import redis

from patterns.serving.waiting import until

_BATCH = 1000
_REWRITE_SECONDS = 120.0
#: KEYS: a real record, and the new ones. ARGV: when they expire, in milliseconds since the epoch. Written as
#: a task writes them, the long result after all the rest: how much a hash takes depends on how it grew.
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
#: Of its clients and of its journal: they come and go.
_BUFFERS = ("clients.normal", "clients.slaves", "aof.buffer", "replication.backlog")


class GrownRedis:
    """The private Redis of one server."""

    def __init__(self, url: str, chance: random.Random) -> None:
        self._client: Any = redis.Redis.from_url(url)
        self._chance = chance

    def copy(self, task_id: str, records: int, expire_at: float | None) -> list[str]:
        """Write copies of a task's record; gives some of their ids. `expire_at` is in seconds since the epoch."""
        key = next(self._client.scan_iter(match=f"*task:{task_id}", count=10_000)).decode()
        script = self._client.register_script(_COPY)
        expires = int(1000 * expire_at) if expire_at is not None else self._client.pexpiretime(key)
        ids: list[str] = []
        while records > 0:
            ids = [f"{self._chance.getrandbits(128):032x}" for _ in range(min(records, _BATCH))]
            script(keys=[key, *(key.replace(task_id, copy) for copy in ids)], args=[expires])
            records -= len(ids)
        until(lambda: not self._client.info("persistence")["aof_rewrite_in_progress"], _REWRITE_SECONDS, pause=0.1)
        return ids

    def bytes_in_use(self) -> int:
        """Without buffers: exact."""
        stats = self._client.memory_stats()
        return int(stats["total.allocated"]) - sum(int(stats.get(name, 0)) for name in _BUFFERS)

    def key_count(self) -> int:
        """How many keys Redis has."""
        return int(self._client.dbsize())

    def has_records(self) -> bool:
        """Whether any record has not expired."""
        return any(self._client.scan_iter(match="*task:*"))

    def has_unfinished_tasks(self) -> bool:
        """Whether any task is not finished."""
        return any(self._client.zcard(key) for key in self._client.keys("*unfinished"))

    def close(self) -> None:
        """Close its connections."""
        self._client.close()
