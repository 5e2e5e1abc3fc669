"""`kit serve`: starts one pattern with everything it needs, or one part of it, until Ctrl-C."""

import sys
from contextlib import suppress
from typing import Annotated

import typer
from rich.markup import escape

from patterns import PATTERNS
from patterns.cli.announcement import announce
from patterns.cli.console import err
from patterns.cli.terminal import give_up
from patterns.contract.descriptor import Pattern
from patterns.contract.settings import Settings, SettingsError, environment_variable, load_settings, new_webhook_secret
from patterns.serving.errors import CannotServe
from patterns.serving.interrupts import raise_on_interrupts
from patterns.serving.processes import ProcessFailed
from patterns.serving.running import Role, Running, running
from patterns.serving.supervising import NotConfigured

SETTINGS_HELP = "Settings come from the environment:\n\n" + "\n\n".join(
    f"{environment_variable(name)} (default {'unset' if field.default is None else field.default}): {field.description}"
    for name, field in Settings.model_fields.items()
)


def serve(
    name: Annotated[str, typer.Argument(help=f"One of: {', '.join(PATTERNS)}.")],
    port: Annotated[int, typer.Option(help="Port to listen on; 0 picks a free one.")] = 8000,
    host: Annotated[
        str, typer.Option(help="Address to listen on. The default accepts this machine only.")
    ] = "127.0.0.1",
    workers: Annotated[
        int, typer.Option(min=1, help="Number of web processes; more than one requires celery_queue.")
    ] = 1,
    role: Annotated[
        Role | None,
        typer.Option(help="Run only this part of celery_queue, as one of several hosts. Requires REDIS_URL."),
    ] = None,
) -> None:
    """Serve one pattern with everything it needs; one Ctrl-C stops it all."""
    pattern = PATTERNS.get(name)
    if pattern is None:
        raise give_up(f"Unknown pattern {name!r}. Choose from: {', '.join(PATTERNS)}.")
    if role is Role.WORKER and workers > 1:
        raise give_up(
            "--workers sets the number of web processes. KIT_WORKERS sets how many tasks a worker runs at once."
        )
    is_up = False
    try:
        settings = load_settings()
        raise_on_interrupts()
        env = {} if role else _webhook_secret(pattern, settings)
        with running(pattern, role=role, host=host, port=port, web_processes=workers, env=env) as served:
            is_up = True
            announce(served, settings, env)
            _supervise(served, settings)
    except NotConfigured:
        raise typer.Exit(2) from None
    except (CannotServe, ProcessFailed, SettingsError) as error:
        raise give_up(error) from None
    except KeyboardInterrupt:
        _print_last("Stopped.")
        raise typer.Exit(0 if is_up else 130) from None


def _webhook_secret(pattern: Pattern, settings: Settings) -> dict[str, str]:
    if pattern.can_call_back and settings.webhook_secret is None:
        return {"KIT_WEBHOOK_SECRET": new_webhook_secret()}
    return {}


def _supervise(served: Running, settings: Settings) -> None:
    try:
        served.supervise(_report_restart)
    except KeyboardInterrupt:
        if settings.grace_seconds and served.has_tasks:
            limit = f"{settings.grace_seconds:g} s"
            _print_last(f"Stopping: waiting up to {limit} for running tasks. Press Ctrl-C again to stop now.")
        raise


def _print_last(line: str) -> None:
    """Print over the `^C` that a terminal shows, and ignore that the terminal may be closed."""
    with suppress(OSError):
        print(f"\r{line}" if sys.stdout.isatty() else line, flush=True)  # noqa: T201 rich would wrap it


def _report_restart(line: str) -> None:
    err.print(escape(line), style="yellow", soft_wrap=True)
