"""What `kit watch` does: run the checkpoint of the next exercise after every save, and move on when it passes."""

import os
import queue
import select
import sys
import termios
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import typer
from watchfiles import PythonFilter, watch

from exercises import grading
from exercises.checking import run_checkpoints
from exercises.course import Exercise
from exercises.grading import Result
from exercises.home import next_hint, next_steps, path_lines, print_lines
from exercises.printing import print_markdown
from exercises.run import Reporter
from exercises.workspace import Workspace
from tests.checkpoints.engine.api import ForkServer

_KEYS = "h hint   l list   r run again   q quit"
_LONGEST_WAIT_SECONDS = 0.5
_RUN = {"save", "r", "\r", "\n"}


def watch_workspace(workspace: Workspace, forks: ForkServer) -> None:
    """Watch until all exercises have passed, or the learner quits."""
    events: queue.SimpleQueue[str] = queue.SimpleQueue()
    stop = threading.Event()
    threading.Thread(target=_watch_saves, args=[workspace.path, events, stop], daemon=True).start()
    if workspace.next() is None:
        print_lines(next_steps(workspace))
    with _keys(events, stop) as keys:
        event = "save"
        while event != "q" and (exercise := workspace.next()):
            if event in _RUN:
                _check(workspace, exercise, forks)
            elif event == "h":
                print_markdown(next_hint(workspace, exercise))
            elif event == "l":
                print_lines(path_lines(workspace))
            if (coming := workspace.next()) is not None:
                typer.secho(f"Watching {coming.folder}.   {_KEYS if keys else 'Ctrl-C quits'}", fg="bright_black")
                event = _next(events)


def _next(events: "queue.SimpleQueue[str]") -> str:
    """The next event. Waits in short steps: a Ctrl-C just before a wait is handled only after it."""
    while True:
        with suppress(queue.Empty):
            return events.get(timeout=_LONGEST_WAIT_SECONDS)


def _check(workspace: Workspace, exercise: Exercise, forks: ForkServer) -> None:
    if sys.stdout.isatty():
        typer.echo("\x1b[2J\x1b[H", nl=False)
    reporter = Reporter()
    with reporter.listening():
        reporter.begin(exercise.folder)
        checked = run_checkpoints([exercise.folder], [workspace.path], forks=forks, listener=reporter)
        reporter.end_exercise()
    for problem in checked.problems:
        typer.secho(problem, fg="red")
    if grading.result_of(checked) is Result.PASSED:
        workspace.mark_passed(exercise)
        print_lines(next_steps(workspace))


def _watch_saves(folder: Path, events: "queue.SimpleQueue[str]", stop: threading.Event) -> None:
    for _ in watch(folder, watch_filter=PythonFilter(), stop_event=stop, debounce=200, step=50, raise_interrupt=False):
        events.put("save")


@contextmanager
def _keys(events: "queue.SimpleQueue[str]", stop: threading.Event) -> Iterator[bool]:
    """Read single keys without Enter, if there is a terminal. Restores its settings at the end."""
    try:
        if not sys.stdin.isatty():
            yield False
            return
        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
        try:
            tty.setcbreak(descriptor)
            threading.Thread(target=_read_keys, args=[descriptor, events, stop], daemon=True).start()
            yield True
        finally:
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
    finally:
        stop.set()


def _read_keys(descriptor: int, events: "queue.SimpleQueue[str]", stop: threading.Event) -> None:
    while not stop.is_set():
        ready, _, _ = select.select([descriptor], [], [], 0.2)
        if ready and (key := os.read(descriptor, 1)):
            events.put(key.decode(errors="replace").lower())
