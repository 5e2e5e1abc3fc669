"""What is really in Redis."""

import redis


class Keys:
    """The keys of one test, and how long they live."""

    def __init__(self, client: "redis.Redis", prefix: str) -> None:
        self.client = client
        self._prefix = prefix

    def all(self) -> set[str]:
        """The names of all of them, without the prefix."""
        return {str(key).removeprefix(self._prefix) for key in self.client.scan_iter(f"{self._prefix}*")}

    def expire_in(self, key: str) -> float | None:
        """The seconds left to a key, or None if it does not expire."""
        left = self.client.pttl(f"{self._prefix}{key}")
        assert isinstance(left, int)
        return left / 1000 if left >= 0 else None

    def expire(self, key: str) -> None:
        """Let a key expire now."""
        self.client.delete(f"{self._prefix}{key}")
