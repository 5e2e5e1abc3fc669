"""The brokers that can be broken: a private Redis, and a private RabbitMQ."""

import shutil
from dataclasses import dataclass
from typing import Protocol

from patterns.serving.processes import Child
from patterns.serving.running import Running


class Broker(Protocol):
    """A private broker."""

    @property
    def child(self) -> Child:
        """Its process."""

    def start(self) -> None:
        """Start it again, after it has ended."""

    def lose_data(self) -> None:
        """Delete all that it had written to disk, while it does not run."""


@dataclass(frozen=True)
class PrivateRedis:
    """The Redis that was started beside the servers."""

    child: Child
    served: Running

    def start(self) -> None:
        """Start it again, after it has ended."""
        self.child.start()

    def lose_data(self) -> None:
        """Delete all that it had written to disk, while it does not run."""
        for data in self.served.family.folder.glob("redis-*/appendonlydir"):
            shutil.rmtree(data)


def redis_of(served: Running) -> Broker | None:
    """The private Redis of these servers, if they need one."""
    return PrivateRedis(served.redis, served) if served.redis else None
