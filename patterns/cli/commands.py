"""`kit patterns`, `kit serve` and `kit submit`."""

import asyncio
import json
import os
import signal
import sys
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from patterns import PATTERNS
from patterns.cli.submitting import SubmitFailed, submit_and_wait
from patterns.cli.terminal import give_up
from patterns.contract.descriptor import LearnsBy, Pattern
from patterns.contract.settings import Settings, SettingsError, environment_variable, load_settings, new_webhook_secret
from patterns.polling import TaskCancelled, TaskFailed
from patterns.serving.interrupts import interrupts_end_it
from patterns.serving.parts import Part, Role, running_web, running_worker
from patterns.serving.processes import ProcessFailed
from patterns.serving.running import CannotServe, NotConfigured, Running, running

# Without emoji: rich would turn the `:-1:` in an address into a picture.
out = Console(highlight=False, emoji=False)
err = Console(stderr=True, highlight=False, emoji=False)

_SETTINGS_HELP = "Settings come from the environment:\n\n" + "\n\n".join(
    f"{environment_variable(name)} (default {'unset' if field.default is None else field.default}): {field.description}"
    for name, field in Settings.model_fields.items()
)

_WORST = sorted({fault for pattern in PATTERNS.values() for fault in pattern.loses_on})
_FAULTS_HELP = "\n".join(
    [*(f"{fault:<12} {fault.meaning}" for fault in _WORST), "`kit bench --faults` breaks these and nine more things."]
)


def patterns(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array instead of a table.")] = False,
) -> None:
    """List the five patterns: where the work runs, how the client learns the outcome, which faults lose tasks."""
    if as_json:
        typer.echo(json.dumps([_as_json(pattern) for pattern in PATTERNS.values()], indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 1, 0))
    for heading in (
        "pattern",
        "where the work runs",
        "how the client learns the outcome",
        "it teaches",
        "loses tasks on",
    ):
        table.add_column(heading, no_wrap=heading == "pattern", overflow="fold")
    for pattern in PATTERNS.values():
        teaches = "where" if pattern.teaches.value.startswith("where") else "how"
        losses = ", ".join(sorted(pattern.loses_on))
        table.add_row(f"[bold]{pattern.name}[/]", pattern.runs_in, pattern.learns_by, teaches, losses)
    out.print(table)
    out.print(_FAULTS_HELP, style="dim")
    out.print("\nServe one: kit serve NAME    Compare them: kit bench --quick", style="dim")


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
        interrupts_end_it()
        if role:
            with _running_part(pattern, role, host, port, workers) as part:
                is_up = True
                _tell_what_part_runs(part)
                _supervise(part, settings)
        else:
            env = _webhook_secret(pattern, settings)
            with running(pattern, host=host, port=port, web_processes=workers, env=env) as served:
                is_up = True
                _tell_what_runs(served, settings, env)
                _supervise(served, settings)
    except NotConfigured:
        raise typer.Exit(2) from None
    except (CannotServe, ProcessFailed, SettingsError) as error:
        raise give_up(error) from None
    except KeyboardInterrupt:
        _say_last("Stopped.")
        raise typer.Exit(0 if is_up else 130) from None


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


def _as_json(pattern: Pattern) -> dict[str, object]:
    plain = asdict(pattern)
    plain["loses_on"], plain["needs"] = sorted(pattern.loses_on), sorted(pattern.needs)
    plain["processes"] = [process.name for process in pattern.processes]
    return plain


def _webhook_secret(pattern: Pattern, settings: Settings) -> dict[str, str]:
    if pattern.can_call_back and settings.webhook_secret is None:
        return {"KIT_WEBHOOK_SECRET": new_webhook_secret()}
    return {}


def _tell_what_runs(served: Running, settings: Settings, env: dict[str, str]) -> None:
    pattern = served.pattern
    out.print(
        f"[bold]{pattern.title}[/] ({pattern.name}) at [bold]{served.url}[/]    routes: {served.url}/docs",
        soft_wrap=True,
    )
    for child in served.children:
        out.print(f"  {child.name:<13} process {child.pid}", style="dim")
    if "redis" in pattern.needs:
        where = "REDIS_URL" if os.environ.get("REDIS_URL") else "a private Redis, gone when this stops"
        out.print(f"  {'records':<13} {where}", style="dim")
    if pattern.processes and settings.broker_url:
        out.print(f"  {'messages':<13} KIT_BROKER_URL", style="dim")
    command = f'kit submit "Compare the three vendors." --url {served.url}'
    called_back = f" --webhook --secret {env.get('KIT_WEBHOOK_SECRET') or settings.webhook_secret}"
    if pattern.learns_by is LearnsBy.CALLBACK:
        command += called_back
    elif pattern.can_call_back:
        out.print(
            f"  {'callbacks':<13} for clients that send a callback_url:{called_back}", style="dim", soft_wrap=True
        )
    if pattern.can_call_back and not settings.webhook_allow_private:
        out.print(
            "  Callbacks to this machine are refused. To try them here, restart with\n"
            f"  KIT_WEBHOOK_ALLOW_PRIVATE=1 kit serve {pattern.name}",
            style="yellow",
            soft_wrap=True,
        )
    out.print(f"Try it in another terminal:\n  {escape(command)}", soft_wrap=True)
    out.print("Ctrl-C stops everything.")
    sys.stdout.flush()


def _running_part(pattern: Pattern, role: Role, host: str, port: int, workers: int) -> AbstractContextManager[Part]:
    if role is Role.WORKER:
        return running_worker(pattern)
    return running_web(pattern, host=host, port=port, web_processes=workers)


def _tell_what_part_runs(part: Part) -> None:
    where = f"at [bold]{part.url}[/]    routes: {part.url}/docs" if part.url else "takes tasks"
    out.print(f"[bold]{part.pattern.title}[/] ({part.pattern.name}), the {part.role} part {where}")
    for child in part.children:
        out.print(f"  {child.name:<13} process {child.pid}", style="dim")
    out.print(f"  {'records':<13} REDIS_URL", style="dim")
    if os.environ.get("KIT_BROKER_URL"):
        out.print(f"  {'messages':<13} KIT_BROKER_URL", style="dim")
    if part.missing:
        out.print(
            f"  {escape(part.missing.partition(' Start one')[0])} Start one with the same REDIS_URL, on any host:\n"
            f"  kit serve {part.pattern.name} --role worker",
            style="yellow",
            soft_wrap=True,
        )
    out.print("Ctrl-C stops everything that runs here.")
    sys.stdout.flush()


def _supervise(served: Running | Part, settings: Settings) -> None:
    try:
        served.supervise(_tell_what_died)
    except KeyboardInterrupt:
        if settings.grace_seconds and served.has_tasks:
            limit = f"{settings.grace_seconds:g} s"
            _say_last(f"Stopping: waiting up to {limit} for running tasks. Press Ctrl-C again to stop now.")
        raise


def _say_last(line: str) -> None:
    """Over the `^C` that a terminal shows, and to nobody if the terminal has been closed."""
    with suppress(OSError):
        print(f"\r{line}" if sys.stdout.isatty() else line, flush=True)  # noqa: T201 rich would wrap it


def _tell_what_died(line: str) -> None:
    err.print(escape(line), style="yellow", soft_wrap=True)


app = typer.Typer(
    name="kit",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Five ways to run a minutes-long agent job behind a milliseconds-long HTTP request.",
)
app.command()(patterns)
app.command(epilog=_SETTINGS_HELP)(serve)
app.command()(submit)


def serve_module(name: str) -> None:
    """What `python -m patterns.NAME` does: `kit serve NAME`, with the same options."""
    app(["serve", name, *sys.argv[1:]], prog_name=f"python -m patterns.{name}")
