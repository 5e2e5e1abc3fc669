"""What `kit submit` shows in a terminal while the task runs."""

import asyncio
from io import StringIO

from rich.console import Console
from starlette.responses import PlainTextResponse

from patterns.cli.submitting import submit_and_wait
from tests.support.answers import STATUS, SUBMIT, accepted, completed, running
from tests.support.scripted_server import Script, scripted_server


def shown_by(script: Script) -> str:
    """All that a terminal of 80 columns shows until the task is completed."""
    screen = StringIO()
    console = Console(file=screen, force_terminal=True, color_system=None, width=80)
    assert asyncio.run(submit_and_wait(script.url, "compare", None, 20, console)) == "done"
    return screen.getvalue()


def test_it_shows_the_progress_and_the_message() -> None:
    with scripted_server() as scripts:
        script = scripts.script().on("GET /health", PlainTextResponse("ok")).on(SUBMIT, accepted(retry_after="0"))
        script.on(STATUS, running(40, "reading [bold]page 3[/bold]"), completed())

        shown = shown_by(script)

    assert "40 %" in shown
    assert "reading [bold]page 3[/bold]" in shown


def test_a_long_message_stays_on_one_line() -> None:
    with scripted_server() as scripts:
        script = scripts.script().on("GET /health", PlainTextResponse("ok")).on(SUBMIT, accepted(retry_after="0"))
        script.on(STATUS, running(40, "x" * 200), completed())

        shown = shown_by(script)

    assert "xx…" in shown
    assert "x" * 80 not in shown
