"""A coroutine that was never awaited: Python warns where it is discarded; this finds where it was created."""

import re
from pathlib import Path

#: What Python prints for such a coroutine, with `sys.set_coroutine_origin_tracking_depth`.
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
    "the call creates a coroutine that is never awaited, so none of its code runs.",
    "write `await` before the call, or pass the coroutine to `asyncio.create_task(…)` if nothing should wait for it.",
)

#: The same for a coroutine that is passed to a function that expects a function.
HANDED_OVER = (
    "the function is called, not passed: the argument is a coroutine that is never awaited.",
    "pass the function and its arguments separately: `add_task(work, …)`. For a thread, it must be a plain `def`.",
)


def never_awaited(output: str, folder: Path) -> tuple[str, re.Match[str]] | None:
    """The name of the last such coroutine from `folder`, and a match with `file`, `line`, `function`, `source`."""
    made = [
        (warning["name"], frame)
        for warning in WARNING.finditer(output)
        for frame in _FRAME.finditer(warning["frames"])
        if Path(frame["file"]).is_relative_to(folder)
    ]
    return made[-1] if made else None
