"""The brokers that faults are injected into: a private Redis, or a private RabbitMQ."""

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
        """Start it again after it has ended."""

    def lose_data(self) -> None:
        """Delete its data on disk while it is stopped."""


@dataclass(frozen=True)
class PrivateRedis:
    """The Redis that was started with the servers."""

    child: Child
    served: Running

    def start(self) -> None:
        """Start it again after it has ended."""
        self.child.start()

    def lose_data(self) -> None:
        """Delete its data on disk while it is stopped."""
        for data in self.served.family.folder.glob("redis-*/appendonlydir"):
            shutil.rmtree(data)


def redis_of(served: Running) -> Broker | None:
    """The private Redis of these servers, if they need one."""
    return PrivateRedis(served.redis, served) if served.redis else None
