"""How every command gives up: one line that says what happened and what to do, and an exit code."""

import typer


def give_up(message: object, code: int = 1) -> typer.Exit:
    """Say in one line why nothing more can be done, and give the exit to raise."""
    typer.secho(f"kit: {' '.join(str(message).split())}", fg="red", err=True)
    return typer.Exit(code)
