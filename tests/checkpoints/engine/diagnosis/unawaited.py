"""A coroutine that was made and never awaited: Python says so where it is thrown away, and here where it was made."""

import re
from pathlib import Path

#: What Python prints of one, with `sys.set_coroutine_origin_tracking_depth`.
WARNING = re.compile(
    r"^.*RuntimeWarning: coroutine '(?P<name>[^']+)' was never awaited\n"
    r"(?:Coroutine created at \(most recent call last\)\n)?"
    r"(?P<frames>(?:  .*\n)*)"
    r"(?:RuntimeWarning: Enable tracemalloc.*\n)?",
    re.MULTILINE,
)
_FRAME = re.compile(
    r'^  File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<function>\S+)\n    (?P<source>.*)', re.MULTILINE
)

#: What it means, and what to do.
MEANING = (
    "the call makes a coroutine, and nobody awaits it: not a line of it has run.",
    "write `await` before the call; or hand it to `asyncio.create_task(…)`, where nobody is to wait for it.",
)

#: The same, where it is handed to somebody who would call a function.
HANDED_OVER = (
    "the function is called where it should be handed over: what is handed over is a coroutine, and nobody awaits it.",
    "give the function and its arguments apart, `add_task(work, …)`; a plain `def`, where it is called in a thread.",
)


def never_awaited(output: str, folder: Path) -> tuple[str, re.Match[str]] | None:
    """The name of the last one that was made in `folder`, and where: `file`, `line`, `function`, `source`."""
    made = [
        (warning["name"], frame)
        for warning in WARNING.finditer(output)
        for frame in _FRAME.finditer(warning["frames"])
        if Path(frame["file"]).is_relative_to(folder)
    ]
    return made[-1] if made else None
