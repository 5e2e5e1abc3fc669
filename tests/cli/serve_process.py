"""`kit serve` as a process that runs until a test stops or kills it."""

import re
import signal
import socket
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import httpx
import psutil

from patterns.serving.processes import Family
from tests.cli.command import environment
from tests.support.waiting import PATIENCE_SECONDS, eventually


class Stream(Protocol):
    """What a process prints."""

    def readline(self) -> str: ...

    def close(self) -> None: ...


class ServeProcess:
    """Started, and up. Processes that it leaves behind at the end of the block are killed, and fail the test."""

    def __init__(self, argv: Sequence[str], folder: Path, **settings: str) -> None:
        self.folder = folder
        self.out: list[str] = []
        self.err: list[str] = []
        self._reaper = Family()  # it ends `kit serve` if the tests themselves are killed
        # Its private folder is below ours, so that a test sees whether it is gone at the end.
        self._popen, *streams = self._start(
            argv, cwd=folder, env=environment({"TMPDIR": str(folder), "PYTHONUNBUFFERED": "1", **settings})
        )
        self._reaper.send_to_reaper(f"+{self._popen.pid}")
        self.process = psutil.Process(self._popen.pid)
        self._streams = streams
        self._readers = [
            self._read(stream, lines) for stream, lines in zip(streams, (self.out, self.err), strict=False)
        ]
        self.family: list[psutil.Process] = []

    def _start(self, argv: Sequence[str], **options: Any) -> tuple[subprocess.Popen[Any], *tuple[Stream, ...]]:
        """Start it, and return the streams to read: standard output, then standard error if that is separate."""
        popen = subprocess.Popen(
            argv,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )
        assert popen.stdout is not None
        assert popen.stderr is not None
        return popen, popen.stdout, popen.stderr

    def __enter__(self) -> Self:
        eventually(lambda: self._is_up() or self.exit_code is not None, bool)
        assert self._is_up(), self.err
        self.note_family()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        left = self.end()
        assert error is not None or not left, f"left behind: {left}"

    def end(self) -> list[psutil.Process]:
        """Kill what still runs, and return it."""
        self.note_family()
        left = [process for process in (self.process, *self.family) if alive(process)]
        for process in left:
            process.kill()
        self._popen.wait()
        for reader in self._readers:
            reader.join(PATIENCE_SECONDS)
        for stream in self._streams:
            stream.close()
        self._reaper.send_to_reaper(f"-{self._popen.pid}")
        self._reaper.stop()
        return left

    @property
    def url(self) -> str:
        """The URL that it printed."""
        found = re.search(r"\sat\s+(http://\S+)", "".join(self.out))
        assert found is not None, self.out
        return found[1]

    @property
    def port(self) -> int:
        """The port that it printed."""
        return int(self.url.rpartition(":")[2])

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._popen.poll()

    def pid(self, name: str) -> int:
        """The id of the process that it printed under this name."""
        found = re.search(rf"^\s+{name}\s+process (\d+)", "".join(self.out), re.MULTILINE)
        assert found is not None, self.out
        return int(found[1])

    def note_family(self) -> None:
        """Remember every process below it, so that they can be found when it is gone."""
        if alive(self.process):
            known = set(self.family)
            self.family += [process for process in self.process.children(recursive=True) if process not in known]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to `kit serve` alone, as a terminal does: its children have their own sessions."""
        self.note_family()
        self.process.send_signal(number)

    def until_exit(self) -> int:
        """Its exit code, once it has ended and all of its output is read."""
        code = self._popen.wait(PATIENCE_SECONDS)
        for reader in self._readers:
            reader.join(PATIENCE_SECONDS)
        return code

    def until_all_gone(self) -> None:
        """Return once every process that it had started is gone, with its port and its files."""
        eventually(lambda: [process for process in self.family if alive(process)], lambda left: not left)
        eventually(lambda: list(self.folder.glob("kit-*")), lambda folders: not folders)
        if " at http://" in "".join(self.out):  # a worker alone serves nothing
            socket.create_server(("127.0.0.1", self.port)).close()

    def until_said(self, pattern: str) -> re.Match[str]:
        """The match of `pattern` in its standard error, once there is one."""
        found = eventually(lambda: re.search(pattern, "".join(self.err)), bool)
        assert found is not None
        return found

    def healthy(self) -> bool:
        """Whether `/health` answers 200."""
        try:
            return httpx.get(f"{self.url}/health", trust_env=False, timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def submit(self, prompt: str) -> str:
        """Submit a task that must be accepted, and return its id."""
        answer = httpx.post(f"{self.url}/agent/submit", json={"prompt": prompt}, trust_env=False, timeout=20)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["task_id"])

    def status(self, task_id: str) -> str:
        """The status of a task."""
        return str(httpx.get(f"{self.url}/agent/status/{task_id}", trust_env=False, timeout=20).json()["status"])

    def _is_up(self) -> bool:
        return any("Ctrl-C stops everything" in line for line in list(self.out))

    @staticmethod
    def _read(stream: Stream, lines: list[str]) -> threading.Thread:
        def read() -> None:
            with suppress(OSError):  # how a terminal ends
                lines.extend(iter(stream.readline, ""))

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        return reader


def alive(process: psutil.Process) -> bool:
    """Whether a process runs. A zombie does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
