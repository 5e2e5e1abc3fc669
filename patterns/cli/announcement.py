"""What `kit serve` prints once everything is running: the processes, the URL, and how to try it."""

import os
import sys

from rich.markup import escape

from patterns.cli.console import out
from patterns.contract.descriptor import LearnsBy, Pattern
from patterns.contract.settings import Settings
from patterns.serving.running import Running


def announce(served: Running, settings: Settings, env: dict[str, str]) -> None:
    """Print what is running. `env` is what was added to the environment: a signing key, if one was generated."""
    pattern = served.pattern
    part = f", the {served.role} part" if served.role else ""
    where = f"at [bold]{served.url}[/]    routes: {served.url}/docs" if served.url else "takes tasks"
    out.print(f"[bold]{pattern.title}[/] ({pattern.name}){part} {where}", soft_wrap=True)
    _print_processes(served, settings)
    if served.role:
        _print_missing(served)
    else:
        _print_how_to_try(served, settings, env.get("KIT_WEBHOOK_SECRET") or settings.webhook_secret)
    out.print(f"Ctrl-C stops everything{' that runs here' if served.role else ''}.")
    sys.stdout.flush()


def _print_processes(served: Running, settings: Settings) -> None:
    for child in served.children:
        out.print(f"  {child.name:<13} process {child.pid}", style="dim")
    if "redis" in served.pattern.needs:
        where = "REDIS_URL" if os.environ.get("REDIS_URL") else "a private Redis, deleted at exit"
        out.print(f"  {'records':<13} {where}", style="dim")
    if served.pattern.processes and settings.broker_url:
        out.print(f"  {'messages':<13} KIT_BROKER_URL", style="dim")


def _print_missing(served: Running) -> None:
    if served.missing:
        out.print(
            f"  {escape(served.missing.partition(' Start one')[0])} Start one with the same REDIS_URL, on any host:\n"
            f"  kit serve {served.pattern.name} --role worker",
            style="yellow",
            soft_wrap=True,
        )


def _print_how_to_try(served: Running, settings: Settings, secret: str | None) -> None:
    pattern = served.pattern
    command = f'kit submit "Compare the three vendors." --url {served.url}'
    by_webhook = f" --webhook --secret {secret}"
    if pattern.learns_by is LearnsBy.CALLBACK:
        command += by_webhook
    elif pattern.can_call_back:
        out.print(f"  {'callbacks':<13} for clients that send a callback_url:{by_webhook}", style="dim", soft_wrap=True)
    if pattern.can_call_back and not settings.webhook_allow_private:
        _print_private_refused(pattern)
    out.print(f"Try it in another terminal:\n  {escape(command)}", soft_wrap=True)


def _print_private_refused(pattern: Pattern) -> None:
    out.print(
        "  Callbacks to this machine are refused. To try them here, restart with\n"
        f"  KIT_WEBHOOK_ALLOW_PRIVATE=1 kit serve {pattern.name}",
        style="yellow",
        soft_wrap=True,
    )
