"""The learner's processes: forked in milliseconds, watched, and always ended."""

import itertools
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from patterns.serving.interrupts import delay_interrupts
from tests.checkpoints.engine.diagnosis.failures import Inconclusive
from tests.checkpoints.engine.processes.messages import receive, send

#: The modules to import before forking, for each library that the exercises use. Half a second each.
WEB = [
    "fastapi",
    "uvicorn",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "uvicorn.loops.uvloop",
    "anyio._backends._asyncio",
    "encodings.idna",
    "uvicorn.protocols.http.auto",
]
CELERY = [
    "celery.app.control",
    "celery.app.events",
    "celery.app.log",
    "celery.app.trace",
    "celery.apps.worker",
    "celery.backends.redis",
    "celery.bin.celery",
    "celery.concurrency.prefork",
    "celery.events",
    "celery.fixups.django",
    "celery.loaders.app",
    "celery.worker.autoscale",
    "celery.worker.components",
    "celery.worker.consumer",
    "celery.worker.consumer.delayed_delivery",
    "celery.worker.loops",
    "celery.worker.pidbox",
    "celery.worker.strategy",
    "billiard.heap",
    "billiard.popen_fork",
    "billiard.sharedctypes",
    "billiard.synchronize",
    "kombu.transport.redis",
]

HTTPX = ["httpx", "httpcore", "anyio._backends._asyncio"]
WEBHOOKS = ["standardwebhooks"]
LIBRARIES = {"fastapi": WEB, "celery": CELERY, "httpx": HTTPX, "standardwebhooks": WEBHOOKS}


class LearnerProcess:
    """One process of the learner's code."""

    def __init__(self, server: "ForkServer", pid: int, folder: Path, output: Path) -> None:
        self._server = server
        self.pid = pid
        self.folder = folder
        self._output = output

    @property
    def exit_code(self) -> int | None:
        """The exit code; None while it is running, negative for a signal."""
        code: int | None = self._server.order({"look": self.pid})["exit"]
        return code

    @property
    def output(self) -> str:
        """The end of its standard output and standard error, together."""
        with self._output.open("rb") as file:
            file.seek(max(0, self._output.stat().st_size - 100_000))
            return file.read().decode(errors="replace")

    def end(self) -> None:
        """End it, and all processes that it started."""
        self._server.end([self])


class ForkServer:
    """Starts the learner's processes. Leaving the block ends them all. Thread-safe.

    It imports `libraries` first, those of the first exercise. Others are imported by `load`.
    """

    def __init__(self, libraries: Sequence[str] = ("fastapi",)) -> None:
        self._lock = threading.Lock()
        self._control, far_end = socket.socketpair()
        root = str(Path(__file__).parents[4])
        first = [module for library in libraries for module in LIBRARIES[library]]
        with far_end:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", "tests.checkpoints.engine.processes.fork_main", str(far_end.fileno()), *first],
                pass_fds=[far_end.fileno()],
                env={**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="kit-", ignore_cleanup_errors=True)
        self.folder = Path(self._folder.name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._control.close()
        self._popen.wait()
        self._folder.cleanup()

    def discard(self) -> None:
        """End a server whose block was never entered, even in the middle of its imports."""
        self._control.close()
        self._popen.kill()
        self._popen.wait()

    def new_path(self, kind: str) -> Path:
        """An unused path in the private folder."""
        return self.folder / f"{next(self._numbers)}.{kind}"

    def load(self, modules: Sequence[str]) -> None:
        """Import these modules before a process that needs them is started."""
        self.order({"load": modules})

    def start(
        self, folder: Path, run: str, arguments: Sequence[object], env: Mapping[str, str], fds: Sequence[int] = ()
    ) -> LearnerProcess:
        """Run a function from `jobs` in a new process whose current folder is the learner's."""
        output = self.new_path("log")
        output.touch()
        job = {
            "run": f"tests.checkpoints.engine.processes.jobs:{run}",
            "arguments": arguments,
            "folder": str(folder),
            "env": dict(env),
            "output": str(output),
        }
        return LearnerProcess(self, self.order({"job": job}, fds)["pid"], folder, output)

    def end(self, processes: Sequence[LearnerProcess]) -> None:
        """End these processes, and all processes that they started."""
        self.order({"end": [process.pid for process in processes]})

    def order(self, order: dict[str, Any], fds: Sequence[int] = ()) -> dict[str, Any]:
        """Send an order, and return the reply."""
        try:
            # The rest of a reply that an interrupt left unread would be read as the reply to the next order.
            with delay_interrupts(), self._lock:
                send(self._control, order, fds)
                received = receive(self._control)
        except OSError:
            received = None
        if received is None:
            raise Inconclusive("The process that starts your code has ended. Run the check again.")
        return received[0]
