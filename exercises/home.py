"""What the kit prints between checks: how to start, the progress, the next steps, hints."""

import os
import shlex
from pathlib import Path
from typing import Any

import typer

from exercises.course import Exercise, course
from exercises.workspace import Workspace

Line = tuple[str, dict[str, Any]]


def print_lines(lines: list[Line]) -> None:
    """Print lines, each in its style."""
    for line, style in lines:
        typer.secho(line, **style)


def first_steps(folder: Path) -> list[str]:
    """The first commands, ready to type."""
    first = course()[0]
    lines = [
        f"  cd {shlex.quote(str(folder))}",
        "  kit list     shows the exercises, and which is next",
        f"  kit check    runs the checkpoint of {first.folder}; read its README.md first",
        "  kit watch    runs it each time you save",
    ]
    if os.environ.get("UV"):  # `uv run` sets it; `kit` is then not on the learner's PATH
        lines += ["", *_kit_alias(folder)]
    return lines


def _kit_alias(folder: Path) -> list[str]:
    root = Path(__file__).parents[1]
    installed = not (root / "pyproject.toml").exists()  # in the learner's own project, which uv finds
    if installed or folder.resolve().is_relative_to(root):
        return ["Here, `kit` is short for `uv run kit`. To type just `kit`: alias kit='uv run kit'"]
    return [
        "This folder is outside the kit. To make `uv run` work here, run this once in each terminal:",
        "",
        f"  export UV_PROJECT={shlex.quote(str(root))}",
        "  alias kit='uv run kit'",
    ]


def path_lines(workspace: Workspace) -> list[Line]:
    """The course, one line per exercise."""
    coming = workspace.next()
    lines: list[Line] = []
    for exercise in course():
        style: dict[str, Any] = {"fg": "bright_black"}
        sign, more = " ", ""
        if workspace.passed(exercise):
            sign, style, more = "✓", {"fg": "green"}, "passed"
        elif exercise == coming:
            sign, style, more = "→", {"bold": True}, f"next: kit check {exercise.number}"
        columns = f"{exercise.number:>2}  {exercise.title:<22} {exercise.minutes:>3} min  {exercise.pattern:<18}"
        lines.append((f"{sign} {columns} {more}", style))
    return [*lines, ("", {}), *next_steps(workspace)]


def next_steps(workspace: Workspace) -> list[Line]:
    """The progress, and what to do next."""
    done, coming = sum(map(workspace.passed, course())), workspace.next()
    if coming is None:
        return [
            (f"All {len(course())} exercises have passed. You have built all five patterns.", {"fg": "green"}),
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
    """The path of an exercise from the current folder, or from the workspace if that is not below it."""
    here = Path.cwd()
    above = workspace.path.relative_to(here) if workspace.path.is_relative_to(here) else Path()
    return str(above / exercise.folder)


def print_location(workspace: Workspace) -> None:
    """Print which folder is used, if the current folder is not inside it."""
    if not Path.cwd().is_relative_to(workspace.path):
        typer.secho(f"In {workspace.path}:", fg="bright_black")


def next_hint(workspace: Workspace, exercise: Exercise) -> str:
    """The next hint as Markdown, and how to see more."""
    hints = exercise.hints()
    seen = workspace.hints_seen(exercise)
    number = min(seen + 1, len(hints))
    workspace.saw_hint(exercise, number)
    if seen >= len(hints):
        after = f"There are no more hints. To see the solution: `kit solution {exercise.number} --anyway`"
    elif number == len(hints):
        after = f"This is the last of {len(hints)} hints."
    else:
        after = f"{len(hints) - number} more. For the next: `kit hint {exercise.number}`"
    if number > 1:
        after += f"    To repeat the hints so far: `kit hint {exercise.number} --again`"
    return f"{_hint(exercise, number)}\n\n{after}"


def hints_so_far(workspace: Workspace, exercise: Exercise) -> str:
    """The hints that were shown so far, as Markdown."""
    seen = range(1, min(workspace.hints_seen(exercise), len(exercise.hints())) + 1)
    none = f"You have not seen a hint for exercise {exercise.number} yet. For the first: `kit hint {exercise.number}`"
    return "\n\n".join(_hint(exercise, number) for number in seen) or none


def _hint(exercise: Exercise, number: int) -> str:
    hints = exercise.hints()
    return f"**Exercise {exercise.number}, hint {number} of {len(hints)}**\n\n{hints[number - 1]}"
