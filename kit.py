"""`kit`: the command line, put together from the command groups of the three packages.

A group is imported when one of its commands is called, so that none of them waits for what the others need.
"""

import atexit
import gc
import os
import signal
import sys

# At its end the interpreter would look through all that was imported for garbage: a fifth of a second, in which nobody
# has anything of it.
atexit.register(gc.freeze)

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # Ctrl-C during the imports below ends without a word, and not in the traceback of one of them. A command that has
    # to clean up listens to it from its first line on.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

# ruff: noqa: E402 every import comes after that
from patterns.serving.compiled import keep_compiled

keep_compiled()  # what is imported from here on

try:
    os.getcwd()
except OSError:
    print("kit: The folder that you are in is gone. Go to another: cd", file=sys.stderr)  # noqa: T201 no typer yet
    sys.exit(2)

if sys.argv[1:2] in (["check"], ["watch"]):
    from exercises.head_start import begin

    begin(sys.argv[2:])

from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

#: Where each command lives, in the order in which `kit --help` shows them.
_HOMES = {
    "exercises.commands": [
        *("init", "list", "check", "watch", "hint", "explain"),
        *("solution", "reset", "update", "doctor"),
    ],
    "benchmarks.commands": ["bench"],
    "patterns.cli.commands": ["patterns", "serve", "submit"],
}


class _Groups(TyperGroup):
    """Every command of every group, each imported when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [name for names in _HOMES.values() for name in names]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        for home, names in _HOMES.items():
            if cmd_name in names:
                return typer.main.get_group(import_module(home).app).get_command(ctx, cmd_name)
        return None


app = typer.Typer(
    name="kit",
    cls=_Groups,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Five ways to run a minutes-long agent job behind a milliseconds-long HTTP request.",
)


@app.callback(invoke_without_command=True)
def kit(ctx: typer.Context) -> None:
    """Learn: init, list, check, watch, hint, explain. Compare: bench. Use: patterns, serve, submit."""
    if ctx.invoked_subcommand is not None:
        return
    from exercises.commands import show_path  # noqa: PLC0415 as above
    from exercises.workspace import NoneHere, Workspace, WorkspaceError  # noqa: PLC0415 as above

    try:
        Workspace.around(Path.cwd())
    except NoneHere:
        typer.echo(ctx.get_help())
        return
    except WorkspaceError:
        pass  # what is amiss, the path says
    show_path()


if __name__ == "__main__":
    app()
