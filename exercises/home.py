"""What the kit says to a learner between the checks: where to begin, how far it is, what comes next."""

import os
import shlex
from pathlib import Path
from typing import Any

import typer

from exercises.course import Exercise, course
from exercises.workspace import Workspace

Line = tuple[str, dict[str, Any]]


def tell(lines: list[Line]) -> None:
    """Print lines, each in its style."""
    for line, style in lines:
        typer.secho(line, **style)


def how_to_begin(folder: Path) -> list[str]:
    """The first commands, so that they can be typed as they stand."""
    first = course()[0]
    lines = [
        f"  cd {shlex.quote(str(folder))}",
        "  kit list     shows the exercises, and which is next",
        f"  kit check    runs the checkpoint of {first.folder}; read its README.md first",
        "  kit watch    does the same each time you save",
    ]
    if os.environ.get("UV"):  # `uv run` sets it; the command is then on nobody's PATH but its own
        lines += ["", *_how_to_say_kit(folder)]
    return lines


def _how_to_say_kit(folder: Path) -> list[str]:
    root = Path(__file__).parents[1]
    installed = not (root / "pyproject.toml").exists()  # into a project of the learner's own, which uv finds
    if installed or folder.resolve().is_relative_to(root):
        return ["Here, `kit` is short for `uv run kit`. To type just `kit`: alias kit='uv run kit'"]
    return [
        "This folder is outside the kit. So that `uv run` works here, type in each terminal:",
        "",
        f"  export UV_PROJECT={shlex.quote(str(root))}",
        "  alias kit='uv run kit'",
    ]


def path_lines(workspace: Workspace) -> list[Line]:
    """The path, a line an exercise."""
    coming = workspace.next()
    lines: list[Line] = []
    for one in course():
        style: dict[str, Any] = {"fg": "bright_black"}
        sign, more = " ", ""
        if workspace.passed(one):
            sign, style, more = "✓", {"fg": "green"}, "passed"
        elif one == coming:
            sign, style, more = "→", {"bold": True}, f"next: kit check {one.number}"
        lines.append((f"{sign} {one.number:>2}  {one.title:<22} {one.minutes:>3} min  {one.pattern:<18} {more}", style))
    return [*lines, ("", {}), *what_next(workspace)]


def what_next(workspace: Workspace) -> list[Line]:
    """What to do now."""
    done, coming = sum(map(workspace.passed, course())), workspace.next()
    if coming is None:
        return [
            (f"All {len(course())} have passed. You have built all five patterns.", {"fg": "green"}),
            ("Compare them under load: kit bench --quick    Read the production versions: patterns/", {}),
        ]
    return [
        (
            f"{done} of {len(course())} passed. Next: exercise {coming.number}, {coming.title}, {coming.minutes} min.",
            {},
        ),
        (f"Read {_from_here(workspace, coming)}/README.md, edit {' and '.join(coming.files)}, then: kit check", {}),
    ]


def _from_here(workspace: Workspace, exercise: Exercise) -> str:
    """An exercise's folder, with the way to it where the learner is above."""
    here = Path.cwd()
    above = workspace.path.relative_to(here) if workspace.path.is_relative_to(here) else Path()
    return str(above / exercise.folder)


def say_where(workspace: Workspace) -> None:
    """Say which folder it is, where the learner stands above it and has not named it."""
    if not Path.cwd().is_relative_to(workspace.path):
        typer.secho(f"In {workspace.path}:", fg="bright_black")


def next_hint(workspace: Workspace, exercise: Exercise) -> str:
    """One more hint as Markdown, and what comes after it."""
    hints = exercise.hints()
    seen = workspace.hints_seen(exercise)
    number = min(seen + 1, len(hints))
    workspace.saw_hint(exercise, number)
    if seen >= len(hints):
        after = f"There are no more hints. To see the solution: `kit solution {exercise.number} --anyway`"
    elif number == len(hints):
        after = f"This is the last of {len(hints)} hints."
    else:
        after = f"{len(hints) - number} more. The next: `kit hint {exercise.number}`"
    if number > 1:
        after += f"    Seen so far: `kit hint {exercise.number} --again`"
    return f"{_hint(exercise, number)}\n\n{after}"


def hints_so_far(workspace: Workspace, exercise: Exercise) -> str:
    """The hints that were shown, as Markdown. The next stays unseen."""
    seen = range(1, min(workspace.hints_seen(exercise), len(exercise.hints())) + 1)
    none = f"You have not seen a hint for exercise {exercise.number} yet. The first: `kit hint {exercise.number}`"
    return "\n\n".join(_hint(exercise, number) for number in seen) or none


def _hint(exercise: Exercise, number: int) -> str:
    hints = exercise.hints()
    return f"**Exercise {exercise.number}, hint {number} of {len(hints)}**\n\n{hints[number - 1]}"
