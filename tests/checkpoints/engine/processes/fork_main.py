"""A process that has imported what the learner's code will import, and forks itself into the learner's processes.

Importing FastAPI takes a second, forking takes milliseconds: so every check can have its own server. The first argument
is the number of a socket, from which it takes orders; the other arguments are the modules to import first. When the
other end of the socket is closed, it ends all its descendants, whatever group or session they moved to, and then
itself.
"""

import ctypes
import gc
import importlib
import io
import os
import resource
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterable, Sequence
from contextlib import suppress
from types import ModuleType
from typing import Any, Never

import psutil

from tests.checkpoints.engine.processes.messages import receive, send

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2), Linux
_NEEDED = ["asyncio", "patterns.practice", "tests.checkpoints.engine.processes.jobs"]
_MOST_OUTPUT_BYTES = 50_000_000
#: How many frames to record where a coroutine is created: the learner's, and one in a library.
COROUTINE_FRAMES = 2


def main() -> None:
    """Take orders until the socket is closed."""
    with suppress(AttributeError, OSError):  # Linux only: this process adopts orphans of the learner's processes
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)  # the process at the other end decides when to end
    control = socket.socket(fileno=int(sys.argv[1]))
    jobs: dict[int, int | None] = {}  # the exit code of each, None while it runs
    _leave_out_command_lines()
    gc.disable()  # imports create little garbage: collecting it would take a fifth of the time
    _load([*_NEEDED, *sys.argv[2:]])
    try:
        while received := receive(control):
            order, descriptors = received
            answer = _carry_out(control, order, descriptors, jobs)
            send(control, answer)
    except ConnectionError:
        pass  # the process at the other end was killed in the middle of an order
    finally:
        _end([child.pid for child in psutil.Process().children(recursive=True)])
    os._exit(0)  # a normal exit would take a while to clean up the modules, and callers wait for it


def _leave_out_command_lines() -> None:
    """httpx imports its own command line with rich and pygments, and Celery's an interactive one with prompt_toolkit:
    much of their import time, for code that is not used here."""
    sys.modules["httpx._main"] = ModuleType("httpx._main")
    repl = ModuleType("click_repl")
    setattr(repl, "register_repl", lambda *_, **__: None)  # noqa: B010 this module has no declared attributes
    sys.modules["click_repl"] = repl


def _load(modules: Sequence[str]) -> None:
    known = "fastapi" in sys.modules
    for module in modules:
        importlib.import_module(module)
    if "fastapi" in sys.modules and not known:
        _rehearse()
    gc.freeze()  # keeps the garbage collectors of the forks from touching, and so copying, shared memory


def _rehearse() -> None:
    """Create an app like a learner's: FastAPI and pydantic import more modules when the first app is created."""
    from fastapi import BackgroundTasks, FastAPI
    from pydantic import BaseModel

    class Body(BaseModel):
        prompt: str

    app = FastAPI()

    @app.post("/", status_code=202)
    async def submit(body: Body, background_tasks: BackgroundTasks) -> dict[str, str]:
        return {}


def _carry_out(
    control: socket.socket, order: dict[str, Any], descriptors: Sequence[int], jobs: dict[int, int | None]
) -> dict[str, Any]:
    if modules := order.get("load"):
        _load(modules)
    if job := order.get("job"):
        pid = os.fork()
        if pid == 0:
            control.close()
            _become(job, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        jobs[pid] = None
        return {"pid": pid}
    if ended := order.get("end"):
        _end_with_all_they_started(ended, jobs)
    if (looked_at := order.get("look")) is not None:
        _reap(jobs)
        return {"exit": jobs.get(looked_at)}
    return {}


def _reap(jobs: dict[int, int | None], wait_for: int | None = None) -> None:
    with suppress(ChildProcessError):
        while wait_for is None or jobs[wait_for] is None:
            pid, status = os.waitpid(wait_for or -1, 0 if wait_for else os.WNOHANG)
            if pid == 0:
                return
            if pid in jobs:  # not a process that a job has left behind
                jobs[pid] = os.waitstatus_to_exitcode(status)


def _end_with_all_they_started(ended: list[int], jobs: dict[int, int | None]) -> None:
    """End these jobs with all their descendants, and what any job has left behind in its own session.

    The processes of the machine are listed once for all jobs: that takes longer than everything else here.
    """
    parents = {}
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            parents[process.pid] = process.ppid()
    _reap(jobs)  # after listing: what a job left behind is recognised as an orphan
    orphans = {pid for pid, parent in parents.items() if parent == os.getpid() and jobs.get(pid, 0) is not None}
    doomed = orphans.union(ended)
    while more := {pid for pid, parent in parents.items() if parent in doomed} - doomed:
        doomed |= more
    for pid in ended:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    _end(doomed)
    for pid in ended:
        _reap(jobs, pid)


def _end(pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _print_at_once(died: threading.ExceptHookArgs) -> None:
    """Print the exception of a thread in one write: Python's own lines may mix with those of another thread."""
    if not issubclass(died.exc_type, SystemExit):
        lines = traceback.format_exception(died.exc_type, died.exc_value, died.exc_traceback)
        os.write(2, f"Exception in a thread:\n{''.join(lines)}".encode(errors="replace"))


def _become(job: dict[str, Any], descriptors: Sequence[int]) -> Never:
    """Turn this fork into a learner's process."""
    code: object = 1
    try:
        os.setsid()
        gc.enable()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (_MOST_OUTPUT_BYTES, _MOST_OUTPUT_BYTES))  # a print in a loop
        output = os.open(job["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for target, descriptor in enumerate((os.open(os.devnull, os.O_RDONLY), output, output)):
            os.dup2(descriptor, target)
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(line_buffering=True)
        os.environ.clear()
        os.environ.update(job["env"])
        tempfile.tempdir = None  # TMPDIR too
        time.tzset()  # the C library asks for TZ once, and may have done so before the fork
        os.chdir(job["folder"])
        sys.path.insert(0, job["folder"])
        sys.dont_write_bytecode = True  # a stale .pyc of an edit within the same second would run the old code
        sys.set_coroutine_origin_tracking_depth(COROUTINE_FRAMES)
        threading.excepthook = _print_at_once
        module, _, function = job["run"].partition(":")
        getattr(importlib.import_module(module), function)(*job["arguments"], *descriptors)
        code = 0
    except SystemExit as end:
        code = end.code if end.code is not None else 0
        if isinstance(code, str):
            print(code, file=sys.stderr)  # noqa: T201 like the interpreter
    except BaseException:  # like the interpreter
        traceback.print_exc()
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code & 0xFF if isinstance(code, int) else 1)


if __name__ == "__main__":
    main()
