"""Controls the practice agent: a check holds it, makes it report progress, and lets it finish or fail.

So the check decides the order of events, and never guesses how long something takes.
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

#: No check needs a tenth of these. A limit for learners' code that calls the agent in an endless loop.
_MOST_CONNECTIONS = 300
#: Shutting a listening socket down ends its `accept` at once.
_JOIN_SECONDS = 5.0


class Run:
    """One call of the agent, from its start until it returns, raises, or is ended."""

    def __init__(self, connection: socket.socket, prompt: Any, pid: int) -> None:
        self.prompt = prompt
        self.pid = pid
        self.started = time.monotonic()
        self.ending = ""  # how it was asked to end: "finish", "fail", or not yet
        self.gone = threading.Event()  # it is no longer running
        self._connection = connection
        self._reported = threading.Event()

    @property
    def working(self) -> bool:
        """Whether it is still running, and was not asked to end."""
        return not self.ending and not self.gone.is_set()

    def works_on(self) -> bool:
        """The same, for certain: a thread of this process notices the end of a run a moment after a client can see
        its outcome."""
        return self.working and not self.gone.wait(1)

    def progress(self, percent: float) -> bool:
        """Make it report progress. Returns when the learner's callback has returned or ended the agent; False if
        neither happened within a second."""
        self._reported.clear()
        self._send(progress=percent)
        return self.gone.is_set() or self._reported.wait(1)

    def reported(self) -> None:
        """Note that a report has been handled."""
        self._reported.set()

    def ended(self) -> None:
        """Note that the run has ended."""
        self.gone.set()
        self._reported.set()

    def finish(self) -> str:
        """Let it return. Returns its result."""
        answer = f"answer {unique_hex(6)}"
        self.ending = "finish"
        self._send(finish=answer)
        self.gone.wait(1)
        return answer

    def fail(self, message: str = "the model refused", kind: str = "RuntimeError") -> None:
        """Make it raise a `RuntimeError`, or a `TimeoutError`."""
        self.ending = "fail"
        self._send(fail=message, kind=kind)
        self.gone.wait(1)

    def _send(self, **order: object) -> None:
        try:
            self._connection.sendall(json.dumps(order).encode() + b"\n")
        except OSError:
            self.gone.set()


class AgentControl:
    """Accepts the agents' connections. Leaving the block closes all of them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.runs: list[Run] = []
        self.expected: list[Any] = []  # the prompts that the check has submitted
        self._changed = threading.Condition()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(128)
        self._connections: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept, name="agent-control", daemon=True)
        self._accepting.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _shut_down(self._listener)
        self._accepting.join(_JOIN_SECONDS)  # it may have accepted another connection in the meantime
        self._listener.close()
        for connection in self._connections:
            _shut_down(connection)
            connection.close()
        self.path.unlink(missing_ok=True)

    def of(self, prompt: str) -> list[Run]:
        """The runs for a prompt so far, oldest first."""
        return [run for run in list(self.runs) if run.prompt == prompt]

    @property
    def at_work(self) -> list[Run]:
        """The runs that have not ended."""
        return [run for run in list(self.runs) if run.working]

    def wait_for(self, prompt: str, within: float, number: int = 1) -> Run | None:
        """The first run for a prompt, or the run with this number; None if it does not start in time."""
        with self._changed:
            self._changed.wait_for(lambda: len(self.of(prompt)) >= number, within)
        runs = self.of(prompt)
        return runs[number - 1] if len(runs) >= number else None

    def wait_for_any(self, within: float) -> bool:
        """Wait for a run; whether one has started in time."""
        with self._changed:
            return self._changed.wait_for(lambda: bool(self.at_work), within)

    def _accept(self) -> None:
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
                    run.reported()
        except (OSError, ValueError):
            pass
        if run:
            run.ended()


def _shut_down(opened: socket.socket) -> None:
    with suppress(OSError):
        opened.shutdown(socket.SHUT_RDWR)
