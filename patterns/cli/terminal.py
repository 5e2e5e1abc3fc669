"""How every command gives up: one line that says what happened and what to do, and an exit code.

A script can tell the codes apart: 1 is an answer, and it is no (a check failed, a task failed, something was lost);
2 is no answer (bad input, a missing server, a taken port); 130 is Ctrl-C.
"""

import typer


def give_up(message: object, code: int = 2) -> typer.Exit:
    """Say in one line why nothing more can be done, and give the exit to raise: without an answer, unless told."""
    typer.secho(f"kit: {' '.join(str(message).split())}", fg="red", err=True)
    return typer.Exit(code)
