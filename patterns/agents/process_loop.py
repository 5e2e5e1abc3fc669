"""One event loop for the lifetime of the process, in its own daemon thread.

A client that tasks share, such as an `httpx.AsyncClient`, keeps connections that belong to the loop on which they were
opened. With a new loop for each task, every second task fails with "Event loop is closed".

The loop does not run in the main thread: an exception that a signal handler raises there would leave the agent pending
on the loop.
"""

import asyncio
import inspect
import logging
import os
import threading
from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)

#: The event loop keeps only a weak reference to a task.
_kept: set[asyncio.Task[None]] = set()


class LoopTask:
    """Runs `start` on the event loop of the process. Created, waited for and cancelled from another thread.

    It runs in the context of the thread that created it, so that logs and traces have the id of the task.
    """

    def __init__(self, start: Callable[[], object]) -> None:
        #: Set when `start` has returned, raised or been cancelled.
        self.done = threading.Event()
        self._result: object = None
        self._error: BaseException | None = asyncio.CancelledError("cancelled before it started")
        self._task: asyncio.Task[None] | None = None
        self._loop = process_loop()
        self._loop.call_soon_threadsafe(self._begin, start)  # copies the context

    def cancel(self) -> None:
        """Cancel it at its current `await`. It may ignore that, or clean up first."""
        self._loop.call_soon_threadsafe(self._cancel)

    def result(self) -> object:
        """The result, once `done` is set. Raises the exception of `start`."""
        if self._error is not None:
            raise self._error
        return self._result

    def _begin(self, start: Callable[[], object]) -> None:
        self._task = self._loop.create_task(self._run(start))
        _kept.add(self._task)
        self._task.add_done_callback(self._end)

    def _cancel(self) -> None:
        if self._task:
            self._task.cancel()

    async def _run(self, start: Callable[[], object]) -> None:
        try:
            outcome = start()
            self._result = await outcome if inspect.isawaitable(outcome) else outcome
            self._error = None
        except BaseException as error:  # raised by `result`; a SystemExit would end the event loop
            self._error = error

    def _end(self, task: asyncio.Task[None]) -> None:
        _kept.discard(task)
        self.done.set()


class _LoopThread:
    """Starts the thread when the loop is first needed, because threads do not survive a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=_run_forever, args=(self._loop,), name="agent loop", daemon=True).start()
            return self._loop


def _run_forever(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    while True:
        try:
            loop.run_forever()
        except (SystemExit, KeyboardInterrupt):  # raised by a task that an agent created
            logger.exception("a task that an agent created tried to exit the process")


_thread = _LoopThread()


def process_loop() -> asyncio.AbstractEventLoop:
    """The running event loop for the agents of this process. A forked process gets its own."""
    return _thread.loop()


def wait_on_process_loop(awaitable: Callable[[], Awaitable[object]]) -> None:
    """Await the result of `awaitable` on the event loop of the process, and block the calling thread meanwhile."""
    task = LoopTask(awaitable)
    task.done.wait()
    task.result()


def _reset_in_child() -> None:
    global _thread  # noqa: PLW0603 threads do not exist in the child
    _thread = _LoopThread()


os.register_at_fork(after_in_child=_reset_in_child)
