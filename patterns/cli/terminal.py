"""How every command gives up: one line that says what happened and what to do, and an exit code.

1 means that it failed (a check, a task, or something was lost); 2 means that the outcome is unknown (invalid input, a
missing server, a port in use); 130 means Ctrl-C.
"""

import typer


def give_up(message: object, code: int = 2) -> typer.Exit:
    """Print in one line why the command cannot go on, and return the exit to raise; by default, outcome unknown."""
    typer.secho(f"kit: {' '.join(str(message).split())}", fg="red", err=True)
    return typer.Exit(code)
