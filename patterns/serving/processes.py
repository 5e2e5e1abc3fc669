"""Starts and stops child processes, so that none is left behind.

Each child gets its own process group, so Ctrl-C in a terminal reaches the parent only. The parent then stops its
children in order, each with its own child processes. If the parent is killed, the reaper ends them.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from patterns.serving.interrupts import delay_interrupts

_REAPER = Path(__file__).with_name("reaper.py")


class ProcessFailed(Exception):
    """A process could not be started, or exited too early. The message is one line."""


class Child:
    """A child process, which can be restarted with the same arguments."""

    def __init__(self, family: "Family", name: str, argv: Sequence[str], env: Mapping[str, str], fds: Sequence[int]):
        self.name = name
        self._family = family
        self._argv, self._env, self._fds = list(argv), dict(env), tuple(fds)
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The id of the process, which may have exited."""
        assert self._popen is not None, f"{self.name} was never started"  # noqa: S101 a bug in the caller
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """None while it is running; a negative number is the signal that ended it."""
        return self._popen.poll() if self._popen else None

    @property
    def how_it_ended(self) -> str:
        """How the process ended, as the end of a sentence."""
        code = self.exit_code
        if code is not None and code < 0:
            return f"was ended by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"

    def start(self) -> None:
        """Start the process, or restart it after it has exited. Kills what is left of its process group first."""
        self._end_group()
        with open(self._family.log, "ab") if self._family.log else nullcontext() as output:
            self._popen = subprocess.Popen(
                self._argv,
                env=self._env,
                pass_fds=self._fds,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._family.send_to_reaper(f"+{self._popen.pid}")

    def terminate(self) -> None:
        """Send SIGTERM, if the process is still running."""
        if self._popen is not None and self._popen.poll() is None:
            self._popen.terminate()

    def stop(self, patience: float) -> None:
        """Wait at most `patience` seconds for its exit, then kill its process group."""
        if self._popen is None:
            return
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(patience)
        self._end_group()

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to this process only, as in a crash. After SIGKILL, wait for its exit."""
        os.kill(self.pid, number)
        if number == signal.SIGKILL and self._popen:
            self._popen.wait()

    def _end_group(self) -> None:
        if self._popen is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
        self._family.send_to_reaper(f"-{self._popen.pid}")  # the id may be reused by another process


class Family:
    """A group of child processes, and a folder for their files. At the end of the block all of them are stopped."""

    def __init__(self, log: Path | None = None) -> None:
        self.log = log
        self.children: list[Child] = []
        self.folder = Path(tempfile.mkdtemp(prefix="kit-"))
        self._reaper = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_REAPER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.send_to_reaper(str(self.folder))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.stop(at_once=kind is KeyboardInterrupt)  # during the start, or a second one during the stop
        except KeyboardInterrupt:
            with delay_interrupts():
                self.stop(patience=0)
            raise

    def start(self, name: str, argv: Sequence[str], env: Mapping[str, str], fds: Sequence[int] = ()) -> Child:
        """Start a child. Raises `ProcessFailed` if the program does not exist."""
        child = Child(self, name, argv, env, fds)
        try:
            # An interrupt between `start` and `append` would leave the child behind.
            with delay_interrupts():
                child.start()
                self.children.append(child)
        except OSError as error:
            raise ProcessFailed(f"Cannot start the {name}: {error}") from error
        return child

    def stop(self, patience: float = 5.0, *, at_once: bool = False) -> None:
        """Stop all children, the last started first (web servers start last), then remove the folder.

        Children with the same name are stopped together, and get at most `patience` seconds each. With `at_once`,
        SIGTERM is repeated: at the second one, a server does not wait for running tasks.
        """
        while self.children:
            last = [child for child in self.children if child.name == self.children[-1].name]
            for child in last:
                child.terminate()
            if at_once:
                _repeat_sigterm(last, patience)
            for child in last:
                child.stop(0 if at_once else patience)
                self.children.remove(child)
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._reaper.stdin and not self._reaper.stdin.closed:
            self._reaper.stdin.close()
            self._reaper.wait()

    def send_to_reaper(self, line: str) -> None:
        """Send a line to the reaper, as its docstring describes."""
        if self._reaper.stdin:
            self._reaper.stdin.write(f"{line}\n".encode())
            self._reaper.stdin.flush()


def _repeat_sigterm(children: Sequence[Child], patience: float) -> None:
    deadline = time.monotonic() + patience
    while any(child.exit_code is None for child in children) and time.monotonic() < deadline:
        time.sleep(0.1)  # a signal is lost while the one before it is pending
        for child in children:
            child.terminate()
