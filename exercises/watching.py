"""What `kit watch` does: run the next exercise's checkpoint at every save, and move on when it passes."""

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
from exercises.home import next_hint, path_lines, tell, what_next
from exercises.printing import print_markdown
from exercises.run import Teller
from exercises.workspace import Workspace
from tests.checkpoints.engine.api import ForkServer

_KEYS = "h hint   l list   r run again   q quit"
_LONGEST_WAIT_SECONDS = 0.5
_RUN = {"save", "r", "\r", "\n"}


def watch_workspace(workspace: Workspace, forks: ForkServer) -> None:
    """Until all have passed, or the learner quits."""
    events: queue.SimpleQueue[str] = queue.SimpleQueue()
    stop = threading.Event()
    threading.Thread(target=_tell_saves, args=[workspace.path, events, stop], daemon=True).start()
    if workspace.next() is None:
        tell(what_next(workspace))
    with _keys(events, stop) as keys:
        event = "save"
        while event != "q" and (exercise := workspace.next()):
            if event in _RUN:
                _check(workspace, exercise, forks)
            elif event == "h":
                print_markdown(next_hint(workspace, exercise))
            elif event == "l":
                tell(path_lines(workspace))
            if (coming := workspace.next()) is not None:
                typer.secho(f"Watching {coming.folder}.   {_KEYS if keys else 'Ctrl-C quits'}", fg="bright_black")
                event = _next(events)


def _next(events: "queue.SimpleQueue[str]") -> str:
    """What comes next. Never one long wait: Python hears of a Ctrl-C that came a moment before it only after it."""
    while True:
        with suppress(queue.Empty):
            return events.get(timeout=_LONGEST_WAIT_SECONDS)


def _check(workspace: Workspace, exercise: Exercise, forks: ForkServer) -> None:
    if sys.stdout.isatty():
        typer.echo("\x1b[2J\x1b[H", nl=False)
    teller = Teller()
    with teller.listened_to():
        teller.begin(exercise.folder)
        checked = run_checkpoints([exercise.folder], [workspace.path], forks=forks, listener=teller)
        teller.end_exercise()
    for problem in checked.problems:
        typer.secho(problem, fg="red")
    if grading.result_of(checked) is Result.PASSED:
        workspace.mark_passed(exercise)
        tell(what_next(workspace))


def _tell_saves(folder: Path, events: "queue.SimpleQueue[str]", stop: threading.Event) -> None:
    for _ in watch(folder, watch_filter=PythonFilter(), stop_event=stop, debounce=200, step=50, raise_interrupt=False):
        events.put("save")


@contextmanager
def _keys(events: "queue.SimpleQueue[str]", stop: threading.Event) -> Iterator[bool]:
    """Single keys without Enter, where there is a terminal. It is left as it was found."""
    try:
        if not sys.stdin.isatty():
            yield False
            return
        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
        try:
            tty.setcbreak(descriptor)
            threading.Thread(target=_tell_keys, args=[descriptor, events, stop], daemon=True).start()
            yield True
        finally:
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
    finally:
        stop.set()


def _tell_keys(descriptor: int, events: "queue.SimpleQueue[str]", stop: threading.Event) -> None:
    while not stop.is_set():
        ready, _, _ = select.select([descriptor], [], [], 0.2)
        if ready and (key := os.read(descriptor, 1)):
            events.put(key.decode(errors="replace").lower())
