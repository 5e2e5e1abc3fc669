"""`kit`: the command line, put together from the command groups of the three packages.

A group is imported when one of its commands is called, so that none of them waits for what the others need.
"""

from exercises.startup import start

start()

# ruff: noqa: E402 it must come before the imports
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
    "patterns.cli.commands": ["patterns", "serve", "submit", "copy"],
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
    """Learn: init, list, check, watch, hint, explain. Compare: bench. Use: patterns, serve, submit, copy."""
    if ctx.invoked_subcommand is not None:
        return
    from exercises.commands import show_path  # noqa: PLC0415 as above
    from exercises.workspace import NoWorkspace, Workspace, WorkspaceError  # noqa: PLC0415 as above

    try:
        Workspace.around(Path.cwd())
    except NoWorkspace:
        typer.echo(ctx.get_help())
        return
    except WorkspaceError:
        pass  # show_path reports it
    show_path()


if __name__ == "__main__":
    app()
