"""Starts early what a check waits for longest: the process that imports what the learner's code imports.

It imports on the other core while this process imports the command line and pytest. This module itself imports little.
"""

import atexit
from collections.abc import Sequence
from pathlib import Path

from exercises.course import NoSuchExercise, course, exercise
from exercises.workspace import Workspace, WorkspaceError
from tests.checkpoints.engine.api import ForkServer

_preloaded: list[ForkServer] = []


def preload(arguments: Sequence[str]) -> None:
    """Start the process for `kit check` or `kit watch` with these arguments. A wrong guess costs time only."""
    if not any(argument.startswith(("--help", "--url")) for argument in arguments):
        _preloaded.append(ForkServer(_first_libraries(*_guess(arguments))))
        atexit.register(_discard)


def fork_server(which: str | None, folder: Path | None) -> ForkServer:
    """The preloaded fork server, or a new one."""
    return _preloaded.pop() if _preloaded else ForkServer(_first_libraries(which, folder))


def _discard() -> None:
    for server in _preloaded:  # the command line was invalid
        server.discard()


def _first_libraries(which: str | None, folder: Path | None) -> tuple[str, ...]:
    """The libraries of the first exercise to check. The command itself reports invalid arguments."""
    try:
        if which:
            return exercise(which).libraries
        coming = (Workspace(folder.resolve()) if folder else Workspace.around(Path.cwd())).next()
    except (NoSuchExercise, WorkspaceError):
        coming = None
    return (coming or course()[0]).libraries


def _guess(arguments: Sequence[str]) -> tuple[str | None, Path | None]:
    """The exercise and the folder in these arguments, without parsing them fully."""
    which, folder = None, None
    rest = iter(arguments)
    for argument in rest:
        option, _, value = argument.partition("=")
        if option in {"--dir", "--json", "--junit"}:
            value = value or next(rest, "")
            folder = Path(value) if option == "--dir" else folder
        elif not argument.startswith("-"):
            which = which or argument
        elif argument in {"--all", "--solutions"}:
            which = which or "1"
    return which, folder
