"""`kit submit`: sends a prompt to a running server, shows the progress, and prints the result."""

import asyncio
import signal
from typing import Annotated

import typer

from patterns.cli.console import err
from patterns.cli.submitting import SubmitFailed, submit_and_wait
from patterns.cli.terminal import give_up
from patterns.polling import TaskCancelled, TaskFailed


def submit(
    prompt: Annotated[str, typer.Argument(help="The task for the agent.")],
    url: Annotated[str, typer.Option(help="The URL of the server.")] = "http://127.0.0.1:8000",
    webhook: Annotated[bool, typer.Option("--webhook", help="Start a receiver and wait for the callback.")] = False,
    secret: Annotated[
        str | None,
        typer.Option(envvar="KIT_WEBHOOK_SECRET", help="With --webhook: the server's signing key."),
    ] = None,
    deadline: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for the outcome.")] = 600.0,
) -> None:
    """Submit a prompt, watch its progress, and print the result.

    Exits with 1 if the task failed or was cancelled, 2 if its outcome is unknown.
    """
    if webhook and not secret:
        raise give_up("--webhook needs the server's signing key: --secret whsec_… (`kit serve webhook` prints it).")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts background jobs with SIGINT ignored
    try:
        result = asyncio.run(submit_and_wait(url, prompt, secret if webhook else None, deadline, err))
    except (TaskFailed, TaskCancelled) as error:
        raise give_up(error, 1) from None
    except SubmitFailed as error:
        raise give_up(error) from None
    except UnicodeEncodeError:
        raise give_up("The prompt is not valid UTF-8.") from None
    except KeyboardInterrupt:
        raise give_up("Interrupted; the task was cancelled.", 130) from None
    typer.echo(result)
