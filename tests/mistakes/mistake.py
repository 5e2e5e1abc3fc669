"""A wrong solution: what differs from the reference solution, and the diagnosis that it must get. And a right one, that
differs too, and must pass: those are in a folder `right`.

Each is a TOML file in the folder of its exercise, and so cannot drift from the solution: an edit whose `old`
text is no longer there exactly once is an error. The text that a learner sees stands beside it.
"""

import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@dataclass(frozen=True)
class Mistake:
    """One file."""

    path: Path
    why: str
    edits: tuple[dict[str, Any], ...]
    #: Of one that is right there is no check that fails, and no code.
    check: str = ""
    code: str = ""
    #: A line of what a learner sees that may be missing: the mistake is a race, and this tells who won it.
    raced: str = ""

    @property
    def exercise(self) -> str:
        """The exercise it belongs to."""
        return self.path.relative_to(HERE).parts[0]

    @property
    def name(self) -> str:
        """Its name, unique in its exercise."""
        return self.path.stem

    @property
    def learner_text(self) -> Path:
        """What a learner sees of it."""
        return self.path.with_suffix(".txt")

    def make(self, folder: Path) -> Path:
        """Write it as a folder of exercises. Raises `ValueError` when it no longer fits the solution."""
        target = folder / self.exercise / self.name
        shutil.copytree(ROOT / "solutions" / self.exercise, target / self.exercise)
        for edit in self.edits:
            file = target / self.exercise / edit["file"]
            text = file.read_text()
            if text.count(edit["old"]) != 1:
                raise ValueError(f"{self.path.name}: {edit['old']!r} is {text.count(edit['old'])} times in {file.name}")
            file.write_text(text.replace(edit["old"], edit["new"]))
        return target


def mistakes() -> list[Mistake]:
    """All of them, by exercise and name."""
    return [_read(path) for path in sorted(HERE.glob("ex*/*.toml"))]


def right_too() -> list[Mistake]:
    """What is no mistake, though it differs from the solution."""
    return [_read(path) for path in sorted(HERE.glob("ex*/right/*.toml"))]


def _read(path: Path) -> Mistake:
    found = tomllib.loads(path.read_text())
    edits = tuple(found.pop("edit"))
    return Mistake(path=path, edits=edits, **found)


def one_of_each_code() -> list[Mistake]:
    """For each diagnosis code the first mistake that must get it."""
    first: dict[str, Mistake] = {}
    for mistake in mistakes():
        first.setdefault(mistake.code, mistake)
    return list(first.values())
