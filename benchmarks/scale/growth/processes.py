"""Memory, open handles and threads of a server's processes, by role."""

from collections.abc import Callable

import psutil

from patterns.serving.running import Running

WEB, WORKER, REDIS = "web server", "worker", "Redis server"


class ServerProcesses:
    """The processes started for one pattern."""

    def __init__(self, served: Running) -> None:
        children = {WEB: served.web, WORKER: served.workers, REDIS: [served.redis] if served.redis else []}
        self._children = {role: started for role, started in children.items() if started}

    @property
    def roles(self) -> list[str]:
        """The roles that have a process."""
        return list(self._children)

    def pages(self, role: str) -> int:
        """The resident memory in bytes."""
        return sum(int(process.memory_info().rss) for process in self._of(role))

    def handles(self) -> dict[str, int]:
        """Open files and sockets by role."""
        return self._count(lambda process: int(process.num_fds()))

    def threads(self) -> dict[str, int]:
        """Threads by role."""
        return self._count(lambda process: int(process.num_threads()))

    def _count(self, count: Callable[[psutil.Process], int]) -> dict[str, int]:
        return {role: sum(map(count, self._of(role))) for role in self.roles}

    def _of(self, role: str) -> list[psutil.Process]:
        processes = [psutil.Process(child.pid) for child in self._children[role]]
        return [*processes, *(child for process in processes for child in process.children(recursive=True))]
