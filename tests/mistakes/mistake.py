"""A wrong solution: edits of the reference solution, and the diagnosis that it must get. Right solutions that differ
from the reference solution, and must pass, are in a folder `right`.

Each is a TOML file in the folder of its exercise. It cannot drift from the solution: an edit whose `old` text does not
occur exactly once is an error. The text that a learner sees is in a file next to it.
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
    """A wrong solution, or a right one without a check and a code."""

    path: Path
    why: str
    edits: tuple[dict[str, Any], ...]
    #: The check that fails first, and its code; both are empty for a right solution.
    check: str = ""
    code: str = ""
    #: The end of a line in the learner's text that may be missing, if the mistake is a race with two possible winners.
    raced: str = ""

    @property
    def exercise(self) -> str:
        """The folder name of its exercise."""
        return self.path.relative_to(HERE).parts[0]

    @property
    def name(self) -> str:
        """The name, unique within its exercise."""
        return self.path.stem

    @property
    def learner_text(self) -> Path:
        """The file with the output that a learner sees."""
        return self.path.with_suffix(".txt")

    def make(self, folder: Path) -> Path:
        """Write it as a folder of exercises. Raises `ValueError` if an edit does not match the solution."""
        target = folder / self.exercise / self.name
        shutil.copytree(ROOT / "solutions" / self.exercise, target / self.exercise)
        for edit in self.edits:
            file = target / self.exercise / edit["file"]
            text = file.read_text()
            if text.count(edit["old"]) != 1:
                raise ValueError(
                    f"{self.path.name}: {edit['old']!r} occurs {text.count(edit['old'])} times in {file.name}"
                )
            file.write_text(text.replace(edit["old"], edit["new"]))
        return target


def mistakes() -> list[Mistake]:
    """All wrong solutions, by exercise and name."""
    return [_read(path) for path in sorted(HERE.glob("ex*/*.toml"))]


def right_solutions() -> list[Mistake]:
    """All right solutions that differ from the reference solution."""
    return [_read(path) for path in sorted(HERE.glob("ex*/right/*.toml"))]


def _read(path: Path) -> Mistake:
    found = tomllib.loads(path.read_text())
    edits = tuple(found.pop("edit"))
    return Mistake(path=path, edits=edits, **found)


def one_of_each_code() -> list[Mistake]:
    """The first mistake for each diagnosis code."""
    first: dict[str, Mistake] = {}
    for mistake in mistakes():
        first.setdefault(mistake.code, mistake)
    return list(first.values())
