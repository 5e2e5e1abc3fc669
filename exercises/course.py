"""The course: its exercises in order, and their properties."""

import functools
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
SOLUTIONS = HERE.parent / "solutions"


@dataclass(frozen=True)
class Exercise:
    """One exercise of the course."""

    folder: str
    title: str
    pattern: str
    minutes: int
    files: tuple[str, ...]
    libraries: tuple[str, ...]
    able: str

    @property
    def number(self) -> int:
        """Its place in the course. It may change; the name does not."""
        return int(self.folder[2:4])

    @property
    def name(self) -> str:
        """The key of its progress."""
        return self.folder[5:]

    @property
    def given(self) -> Path:
        """The folder with the stub and the page to read."""
        return HERE / self.folder

    @property
    def solution(self) -> Path:
        """The folder with the reference solution."""
        return SOLUTIONS / self.folder

    def hints(self) -> list[str]:
        """The hints, each more specific than the one before."""
        text = (self.given / "hints.md").read_text(encoding="utf-8")
        return [part.strip() for part in re.split(r"^## \d+ *$", text, flags=re.MULTILINE)[1:]]


@functools.cache
def course() -> tuple[Exercise, ...]:
    """Every exercise, in order."""
    found = tomllib.loads((HERE / "course.toml").read_text(encoding="utf-8"))["exercise"]
    return tuple(
        Exercise(**{**entry, "files": tuple(entry["files"]), "libraries": tuple(entry["libraries"])}) for entry in found
    )


def number_of(folder: str) -> int | None:
    """The number of the exercise in a folder of this name; None if there is no such exercise."""
    return next((known.number for known in course() if known.folder == folder), None)


class NoSuchExercise(Exception):
    """There is no such exercise. The message says which there are."""


def exercise(which: str) -> Exercise:
    """The exercise with a number (`3`), a name or a folder. Raises `NoSuchExercise`."""
    for known in course():
        number = f"{known.number:02}"
        if which.strip("/") in {str(known.number), number, f"ex{number}", known.name, known.folder}:
            return known
    raise NoSuchExercise(f"There is no exercise {which!r}. There are 1 to {len(course())}: `kit list` shows them.")
