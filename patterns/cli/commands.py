"""The commands `kit patterns`, `kit serve`, `kit submit` and `kit copy`, put together."""

import sys

import typer

from patterns.cli.copying.command import copy
from patterns.cli.listing import patterns
from patterns.cli.serve import SETTINGS_HELP, serve
from patterns.cli.submit import submit

app = typer.Typer(
    name="kit",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Five ways to run a minutes-long agent job behind a milliseconds-long HTTP request.",
)
app.command()(patterns)
app.command(epilog=SETTINGS_HELP)(serve)
app.command()(submit)
app.command()(copy)


def serve_module(name: str) -> None:
    """What `python -m patterns.NAME` does: `kit serve NAME`, with the same options."""
    app(["serve", name, *sys.argv[1:]], prog_name=f"python -m patterns.{name}")
