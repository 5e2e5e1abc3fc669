"""How every command fails: one line that says what happened and what to do, and an exit code.

1 means it failed (a check or a task, or a task was lost). 2 means the outcome is unknown (invalid input, a missing
server, a port in use). 130 means Ctrl-C.
"""

import typer


def give_up(message: object, code: int = 2) -> typer.Exit:
    """Print the message in one line, and return the exception to raise. The default code means: outcome unknown."""
    typer.secho(f"kit: {' '.join(str(message).split())}", fg="red", err=True)
    return typer.Exit(code)
