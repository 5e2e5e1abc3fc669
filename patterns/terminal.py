"""How every command gives up: one line that says what happened and what to do, and an exit code."""

import signal

import typer


def give_up(message: object, code: int = 1) -> typer.Exit:
    """Say in one line why nothing more can be done, and give the exit to raise."""
    typer.secho(f"kit: {' '.join(str(message).split())}", fg="red", err=True)
    return typer.Exit(code)


def interrupts_end_it() -> None:
    """Let Ctrl-C and SIGTERM raise `KeyboardInterrupt`. A shell starts background jobs with SIGINT ignored."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
