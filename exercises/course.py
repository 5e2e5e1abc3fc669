"""The path: which exercises there are, in which order, and what the kit says about each."""

import functools
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
SOLUTIONS = HERE.parent / "solutions"


@dataclass(frozen=True)
class Exercise:
    """One step of the path."""

    folder: str
    title: str
    pattern: str
    minutes: int
    files: tuple[str, ...]
    libraries: tuple[str, ...]
    able: str

    @property
    def number(self) -> int:
        """Its place on the path. It may change; the name does not."""
        return int(self.folder[2:4])

    @property
    def name(self) -> str:
        """What its progress is kept by."""
        return self.folder[5:]

    @property
    def given(self) -> Path:
        """The stub and what to read."""
        return HERE / self.folder

    @property
    def solution(self) -> Path:
        """The reference solution."""
        return SOLUTIONS / self.folder

    def hints(self) -> list[str]:
        """The hints, each saying more than the one before."""
        text = (self.given / "hints.md").read_text(encoding="utf-8")
        return [part.strip() for part in re.split(r"^## \d+ *$", text, flags=re.MULTILINE)[1:]]


@functools.cache
def course() -> tuple[Exercise, ...]:
    """Every exercise, in order."""
    found = tomllib.loads((HERE / "course.toml").read_text(encoding="utf-8"))["exercise"]
    return tuple(
        Exercise(**{**one, "files": tuple(one["files"]), "libraries": tuple(one["libraries"])}) for one in found
    )


def number_of(folder: str) -> int | None:
    """The number of the exercise in a folder of this name; None when there is no such exercise."""
    return next((one.number for one in course() if one.folder == folder), None)


class NoSuchExercise(Exception):
    """The message says which there are."""


def exercise(wanted: str) -> Exercise:
    """The exercise with a number (`3`), a name or a folder. Raises `NoSuchExercise`."""
    for one in course():
        if wanted.strip("/") in {str(one.number), f"{one.number:02}", one.name, one.folder, f"ex{one.number:02}"}:
            return one
    raise NoSuchExercise(f"There is no exercise {wanted!r}. There are 1 to {len(course())}: `kit list` shows them.")
