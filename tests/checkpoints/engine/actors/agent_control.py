"""Controls the practice agent: a check holds it, moves it on, and lets it finish or fail.

So the order of events is decided here, and no check has to guess how long something takes.
"""

import json
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.checkpoints.engine.actors.unique import unique_hex

#: No check needs a tenth of them. A learner's loop that calls the agent for ever gets no more of this process.
_MOST_CONNECTIONS = 300


class Run:
    """One call of the agent, from its start until it has returned, raised, or was ended."""

    def __init__(self, connection: socket.socket, prompt: Any, pid: int) -> None:
        self.prompt = prompt
        self.pid = pid
        self.started = time.monotonic()
        self.ending = ""  # how it was told to end: "finish", "fail", or not yet
        self.gone = threading.Event()  # it works no more
        self._connection = connection
        self._reported = threading.Event()

    @property
    def working(self) -> bool:
        """Whether it still works, or was ended without our doing."""
        return not self.ending and not self.gone.is_set()

    def works_on(self) -> bool:
        """Whether it still works, surely: the end of one that was ended is heard by a thread of ours, a moment after
        everybody could see what came of it."""
        return self.working and not self.gone.wait(1)

    def progress(self, percent: float) -> bool:
        """Let it report how far it is. Returns when what takes the report has returned, or has ended the agent;
        False when it did neither within a second."""
        self._reported.clear()
        self._tell(progress=percent)
        return self.gone.is_set() or self._reported.wait(1)

    def heard(self) -> None:
        """It has reported."""
        self._reported.set()

    def left(self) -> None:
        """It works no more."""
        self.gone.set()
        self._reported.set()

    def finish(self) -> str:
        """Let it return, and give what it returns."""
        answer = f"answer {unique_hex(6)}"
        self.ending = "finish"
        self._tell(finish=answer)
        self.gone.wait(1)
        return answer

    def fail(self, message: str = "the model refused", kind: str = "RuntimeError") -> None:
        """Let it raise a `RuntimeError`, or a `TimeoutError`."""
        self.ending = "fail"
        self._tell(fail=message, kind=kind)
        self.gone.wait(1)

    def _tell(self, **order: object) -> None:
        try:
            self._connection.sendall(json.dumps(order).encode() + b"\n")
        except OSError:
            self.gone.set()


class AgentControl:
    """Takes the agents' connections. Leaving the block closes all of them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.runs: list[Run] = []
        self.expected: list[Any] = []  # the prompts that a check has made
        self._changed = threading.Condition()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(128)
        self._connections: list[socket.socket] = []
        threading.Thread(target=self._take, name="agent-control", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for one in (self._listener, *self._connections):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self.path.unlink(missing_ok=True)

    def of(self, prompt: str) -> list[Run]:
        """The runs for a prompt so far, oldest first."""
        return [run for run in list(self.runs) if run.prompt == prompt]

    @property
    def at_work(self) -> list[Run]:
        """The runs that still work."""
        return [run for run in list(self.runs) if run.working]

    def wait_for(self, prompt: str, within: float, number: int = 1) -> Run | None:
        """The first run for a prompt (or a later one, by its number); None when it does not start in time."""
        with self._changed:
            self._changed.wait_for(lambda: len(self.of(prompt)) >= number, within)
        runs = self.of(prompt)
        return runs[number - 1] if len(runs) >= number else None

    def wait_for_any(self, within: float) -> bool:
        """Whether a run is at work, waiting for one if need be."""
        with self._changed:
            return self._changed.wait_for(lambda: bool(self.at_work), within)

    def _take(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if len(self._connections) >= _MOST_CONNECTIONS:
                connection.close()
                continue
            self._connections.append(connection)
            threading.Thread(target=self._listen, args=[connection], name="run", daemon=True).start()

    def _listen(self, connection: socket.socket) -> None:
        run: Run | None = None
        try:
            with connection.makefile("rb") as lines:
                hello = json.loads(lines.readline())
                run = Run(connection, hello["prompt"], hello["pid"])
                with self._changed:
                    self.runs.append(run)
                    self._changed.notify_all()
                for _ in lines:
                    run.heard()
        except (OSError, ValueError):
            pass
        if run:
            run.left()
