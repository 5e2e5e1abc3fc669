"""The command `python -m benchmarks.scale.two_hosts`."""

import sys
import time
from typing import Annotated

import typer

from benchmarks.scale.two_hosts.scenario import ScenarioFailed, play
from patterns.cli.terminal import give_up
from patterns.serving.errors import CannotServe
from patterns.serving.interrupts import raise_on_interrupts
from patterns.serving.processes import ProcessFailed


def two_hosts(
    tasks: Annotated[int, typer.Option(min=10, max=1000, help="Tasks to submit, half on each host.")] = 40,
    cut: Annotated[float, typer.Option(min=0.1, max=60, help="Seconds for which one host is disconnected.")] = 6.0,
) -> None:
    """Run two hosts, and disconnect one of them for a while.

    Exits with 1 if a task is lost or finishes twice, and with 2 if the measurement fails.
    """
    raise_on_interrupts()
    began = time.monotonic()

    def say(line: str) -> None:
        typer.echo(f"{time.monotonic() - began:7.2f} s  {line}")
        sys.stdout.flush()

    try:
        play(tasks, cut, say)
    except ScenarioFailed as error:
        raise give_up(f"FAILED: {error}.", 1) from None
    except (ProcessFailed, CannotServe, OSError) as error:
        raise give_up(error) from None
    except KeyboardInterrupt:
        raise give_up("Interrupted; nothing to report.", 130) from None
    typer.echo("\nNo task was lost, and each finished exactly once.")


if __name__ == "__main__":
    typer.run(two_hosts)
