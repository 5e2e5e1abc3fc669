"""What a check waits for longest, begun first: the process that imports what the learner's code imports.

It imports on the other core while this process imports the command line and pytest. This module itself imports little.
"""

import atexit
from collections.abc import Sequence
from pathlib import Path

from exercises.course import NoSuchExercise, course, exercise
from exercises.workspace import Workspace, WorkspaceError
from tests.checkpoints.engine.processes import ForkServer

_begun: list[ForkServer] = []


def begin(arguments: Sequence[str]) -> None:
    """Begin, for `kit check` or `kit watch` with these arguments. A wrong guess at what they mean costs time alone."""
    if not any(one.startswith(("--help", "--url")) for one in arguments):
        _begun.append(ForkServer(_first_libraries(*_guess(arguments))))
        atexit.register(_discard)


def _discard() -> None:
    for server in _begun:  # the command line was refused
        server.discard()


def fork_server(which: str | None, folder: Path | None) -> ForkServer:
    """The one that has begun, or a new one."""
    return _begun.pop() if _begun else ForkServer(_first_libraries(which, folder))


def _first_libraries(which: str | None, folder: Path | None) -> tuple[str, ...]:
    """What the first exercise to be checked imports. What is wrong with the question is told by who answers it."""
    try:
        if which:
            return exercise(which).libraries
        coming = (Workspace(folder.resolve()) if folder else Workspace.around(Path.cwd())).next()
    except (NoSuchExercise, WorkspaceError):
        coming = None
    return (coming or course()[0]).libraries


def _guess(arguments: Sequence[str]) -> tuple[str | None, Path | None]:
    """The exercise and the folder that these arguments seem to name."""
    which, folder = None, None
    rest = iter(arguments)
    for one in rest:
        option, _, value = one.partition("=")
        if option in {"--dir", "--json", "--junit"}:
            value = value or next(rest, "")
            folder = Path(value) if option == "--dir" else folder
        elif not one.startswith("-"):
            which = which or one
        elif one in {"--all", "--solutions"}:
            which = which or "1"
    return which, folder
