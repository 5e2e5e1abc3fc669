"""A learner's own folder: what was given, what was changed, and how far the learner is.

`progress.json` is small and made to be read. It is keyed by the exercises' names, without their numbers, so that
neither an update nor a renumbering loses anything. `.kit-given.json` remembers what each file looked like when it
was given, so that an update never touches one that the learner changed. Either marks the folder, so that a
`progress.json` which cannot be read may be moved away: the next is begun where it was.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from exercises.course import HERE, Exercise, course

_PROGRESS, _GIVEN = "progress.json", ".kit-given.json"
_VERSION = 1


class WorkspaceError(Exception):
    """The folder cannot be used. The message says why, and what to do."""


class NoneHere(WorkspaceError):
    """No folder was named, and where the learner is there is none, or more than one."""


@dataclass
class Update:
    """What an update did, in files relative to the folder."""

    new: list[str] = field(default_factory=list)
    back: list[str] = field(default_factory=list)  # given before, and missing
    renewed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)  # changed by the learner, and newer in the kit
    moved: list[str] = field(default_factory=list)


class Workspace:
    """The folder at `path`. Raises `WorkspaceError` when it is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not _is_marked(path):
            raise WorkspaceError(f"{path} is not a folder of exercises: no {_PROGRESS} in it. Create one: kit init DIR")
        self._progress = _read_progress(path / _PROGRESS)

    @classmethod
    def make(cls, path: Path) -> "Workspace":
        """Give all exercises out into a new folder."""
        if _is_marked(path):
            raise WorkspaceError(f"{path} already has exercises. To update them: kit update --dir {path}")
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise WorkspaceError(f"{path} already exists, and is not empty. Name another folder.")
        try:
            path.mkdir(parents=True, exist_ok=True)
            _write(path / _PROGRESS, {"version": _VERSION, "exercises": {}})
            made = cls(path)
            made.update()
        except OSError as error:
            raise WorkspaceError(f"Cannot write to {path}: {error.strerror}.") from None
        return made

    @classmethod
    def around(cls, start: Path) -> "Workspace":
        """The folder of exercises in which `start` is, or else the one that is in `start`. Raises `NoneHere`."""
        for folder in (start, *start.parents):
            if _is_marked(folder):
                return cls(folder)
        try:
            here = sorted(path for path in start.iterdir() if _is_marked(path))
        except OSError:  # it cannot be listed
            here = []
        if len(here) == 1:
            return cls(here[0])
        if here:
            names = ", ".join(path.name for path in here)
            raise NoneHere(f"There are several folders of exercises here: {names}. Choose one: --dir DIR")
        raise NoneHere("There is no folder of exercises here. Create one: kit init DIR (or name yours: --dir DIR)")

    def update(self) -> Update:
        """Bring new and changed files, and what is missing. What the learner has changed stays as it is."""
        before = self._given_before()
        done, given = Update(), {}
        self._follow_renumbering(before, done)
        for key, source, target in self._given():
            new = _hash(source)
            given[key] = new
            there = _hash(target) if target.exists() else None
            name = str(target.relative_to(self.path))
            if there is None:
                _copy(source, target)
                (done.back if key in before else done.new).append(name)
            elif there == new:
                pass
            elif there == before.get(key):
                _copy(source, target)
                done.renewed.append(name)
            else:
                given[key] = before.get(key, new)
                if before.get(key) != new:
                    done.kept.append(name)
        _write(self.path / _GIVEN, given)
        return done

    def reset(self, exercise: Exercise) -> list[tuple[str, str]]:
        """Give an exercise again, and keep what the learner changed beside it: (file, kept as) of each."""
        given, kept = self._given_before(), []
        for key, source, target in self._given_of(exercise):
            new = _hash(source)
            if target.exists() and _hash(target) not in {new, given.get(key)}:
                aside = _free_name(target)
                target.rename(aside)
                kept.append((str(target.relative_to(self.path)), str(aside.relative_to(self.path))))
            _copy(source, target)
            given[key] = new
        _write(self.path / _GIVEN, given)
        return kept

    def folder(self, exercise: Exercise) -> Path:
        """Where an exercise is."""
        return self.path / exercise.folder

    def passed(self, exercise: Exercise) -> bool:
        """Whether its checkpoint has passed here."""
        return "passed" in self._of(exercise)

    def next(self) -> Exercise | None:
        """The first exercise that has not passed; None when all have."""
        return next((one for one in course() if not self.passed(one)), None)

    def mark_passed(self, exercise: Exercise) -> None:
        """Write down that it passed. The first time counts. Raises `WorkspaceError`."""
        self._of(exercise).setdefault("passed", datetime.now(UTC).isoformat(timespec="seconds"))
        self._save()

    def hints_seen(self, exercise: Exercise) -> int:
        """How many of its hints were shown."""
        seen = self._of(exercise).get("hints", 0)
        return seen if isinstance(seen, int) else 0

    def saw_hint(self, exercise: Exercise, number: int) -> None:
        """Write down that a hint was shown. Raises `WorkspaceError`."""
        self._of(exercise)["hints"] = max(number, self.hints_seen(exercise))
        self._save()

    def _of(self, exercise: Exercise) -> dict[str, Any]:
        found: dict[str, Any] = self._progress["exercises"].setdefault(exercise.name, {})
        return found

    def _save(self) -> None:
        said = {name: entry for name, entry in self._progress["exercises"].items() if entry}
        try:
            _write(self.path / _PROGRESS, {**self._progress, "exercises": said})
        except OSError as error:
            raise WorkspaceError(f"Cannot write to {self.path}: {error.strerror}.") from None

    def _given_before(self) -> dict[str, str]:
        return _read(self.path / _GIVEN) if (self.path / _GIVEN).exists() else {}

    def _given(self) -> Iterator[tuple[str, Path, Path]]:
        """(key, in the kit, here) of every file that is given out."""
        yield "README.md", HERE / "README.md", self.path / "README.md"
        for exercise in course():
            yield from self._given_of(exercise)

    def _given_of(self, exercise: Exercise) -> Iterator[tuple[str, Path, Path]]:
        """The same of one exercise. Hints stay with the kit: `kit hint` shows them."""
        for source in sorted(exercise.given.iterdir()):
            if source.is_file() and source.name != "hints.md":
                yield f"{exercise.name}/{source.name}", source, self.folder(exercise) / source.name

    def _follow_renumbering(self, before: dict[str, str], done: Update) -> None:
        for exercise in course():
            if self.folder(exercise).exists():
                continue
            for old in self.path.glob(f"ex[0-9][0-9]_{exercise.name}"):
                old.rename(self.folder(exercise))
                done.moved.append(f"{old.name} → {exercise.folder}")


def _is_marked(folder: Path) -> bool:
    """Whether `kit init` has made exercises here."""
    try:
        return any((folder / name).is_file() for name in (_PROGRESS, _GIVEN))
    except OSError:  # a folder of somebody else's
        return False


def _hash(path: Path) -> str:
    # Line ends may change on their way through an editor or git; that is no change of the learner's.
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _free_name(path: Path) -> Path:
    numbers = range(1, 10_000)
    return next(
        name for n in numbers if not (name := path.with_name(f"{path.stem}.before-reset-{n}{path.suffix}")).exists()
    )


def _read_progress(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {"version": _VERSION, "exercises": {}}
    anew = " Your progress then starts empty, and kit check --all records what passes."
    found = _read(path, anew)
    entries = found.get("exercises")
    if (
        found.get("version") != _VERSION
        or not isinstance(entries, dict)
        or not all(isinstance(entry, dict) for entry in entries.values())
    ):
        raise WorkspaceError(f"{path} is not in the format of this kit. Fix it, or move it away.{anew}")
    return found


def _read(path: Path, anew: str = "") -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WorkspaceError(f"{path} cannot be read: {error}. Fix it, or move it away.{anew}") from None
    if not isinstance(found, dict):
        raise WorkspaceError(f"{path} is not a JSON object. Fix it, or move it away.{anew}")
    return found


def _write(path: Path, content: dict[str, Any]) -> None:
    """Whole or not at all: a Ctrl-C in the middle loses nothing."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(json.dumps(content, indent=2) + "\n")
    Path(name).chmod(0o644)
    Path(name).replace(path)
