"""A learner's folder of exercises: the files as copied, the learner's changes, and the progress.

`progress.json` is small and readable. Its keys are the names of the exercises without their numbers, so that neither an
update nor a renumbering loses anything. `.kit-given.json` has a hash of each file as it was copied, so that an update
never touches a file that the learner changed. Either file marks the folder, so an unreadable `progress.json` can be
moved away: the kit then creates a new one in its place.
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


class NoWorkspace(WorkspaceError):
    """No folder was given, and there is none here, or more than one."""


@dataclass
class Update:
    """The changes of an update: files, relative to the folder."""

    new: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)  # copied before, but missing
    updated: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)  # changed by the learner, but newer in the kit
    moved: list[str] = field(default_factory=list)


class Workspace:
    """A learner's folder at `path`. Raises `WorkspaceError` if it is not a folder of exercises."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not _is_marked(path):
            raise WorkspaceError(
                f"{path} is not a folder of exercises: it has no {_PROGRESS}. Create one: kit init DIR"
            )
        self._progress = _read_progress(path / _PROGRESS)

    @classmethod
    def make(cls, path: Path) -> "Workspace":
        """Copy all exercises into a new folder."""
        if _is_marked(path):
            raise WorkspaceError(f"{path} already has exercises. To update them: kit update --dir {path}")
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise WorkspaceError(f"{path} already exists and is not empty. Choose another folder.")
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
        """The folder of exercises that contains `start`, or that is in `start`. Raises `NoWorkspace`."""
        for folder in (start, *start.parents):
            if _is_marked(folder):
                return cls(folder)
        try:
            here = sorted(path for path in start.iterdir() if _is_marked(path))
        except OSError:  # the folder cannot be listed
            here = []
        if len(here) == 1:
            return cls(here[0])
        if here:
            names = ", ".join(path.name for path in here)
            raise NoWorkspace(f"There are several folders of exercises here: {names}. Choose one: --dir DIR")
        raise NoWorkspace("There is no folder of exercises here. Create one: kit init DIR (or choose yours: --dir DIR)")

    def update(self) -> Update:
        """Add new files, update changed ones, restore missing ones. Never touches a file that the learner changed."""
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
                (done.restored if key in before else done.new).append(name)
            elif there == new:
                pass
            elif there == before.get(key):
                _copy(source, target)
                done.updated.append(name)
            else:
                given[key] = before.get(key, new)
                if before.get(key) != new:
                    done.kept.append(name)
        _write(self.path / _GIVEN, given)
        return done

    def reset(self, exercise: Exercise) -> list[tuple[str, str]]:
        """Restore an exercise. Returns (file, kept as) for each file of the learner that was renamed."""
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
        """The folder of an exercise."""
        return self.path / exercise.folder

    def passed(self, exercise: Exercise) -> bool:
        """Whether its checkpoint has passed here."""
        return "passed" in self._of(exercise)

    def next(self) -> Exercise | None:
        """The first exercise that has not passed; None if all have."""
        return next((exercise for exercise in course() if not self.passed(exercise)), None)

    def mark_passed(self, exercise: Exercise) -> None:
        """Record that an exercise has passed, with the time of the first pass. Raises `WorkspaceError`."""
        self._of(exercise).setdefault("passed", datetime.now(UTC).isoformat(timespec="seconds"))
        self._save()

    def hints_seen(self, exercise: Exercise) -> int:
        """The number of hints that were shown."""
        seen = self._of(exercise).get("hints", 0)
        return seen if isinstance(seen, int) else 0

    def saw_hint(self, exercise: Exercise, number: int) -> None:
        """Record that a hint was shown. Raises `WorkspaceError`."""
        self._of(exercise)["hints"] = max(number, self.hints_seen(exercise))
        self._save()

    def _of(self, exercise: Exercise) -> dict[str, Any]:
        found: dict[str, Any] = self._progress["exercises"].setdefault(exercise.name, {})
        return found

    def _save(self) -> None:
        entries = {name: entry for name, entry in self._progress["exercises"].items() if entry}
        try:
            _write(self.path / _PROGRESS, {**self._progress, "exercises": entries})
        except OSError as error:
            raise WorkspaceError(f"Cannot write to {self.path}: {error.strerror}.") from None

    def _given_before(self) -> dict[str, str]:
        return _read(self.path / _GIVEN) if (self.path / _GIVEN).exists() else {}

    def _given(self) -> Iterator[tuple[str, Path, Path]]:
        """(key, path in the kit, path here) of every file to copy."""
        yield "README.md", HERE / "README.md", self.path / "README.md"
        for exercise in course():
            yield from self._given_of(exercise)

    def _given_of(self, exercise: Exercise) -> Iterator[tuple[str, Path, Path]]:
        """The same for one exercise. Hints are not copied: `kit hint` shows them."""
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
    """Whether this is a folder from `kit init`."""
    try:
        return any((folder / name).is_file() for name in (_PROGRESS, _GIVEN))
    except OSError:  # no permission
        return False


def _hash(path: Path) -> str:
    # An editor or git may change line endings; that is not a change by the learner.
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
    advice = " Your progress then starts empty, and kit check --all records what passes."
    found = _read(path, advice)
    entries = found.get("exercises")
    if (
        found.get("version") != _VERSION
        or not isinstance(entries, dict)
        or not all(isinstance(entry, dict) for entry in entries.values())
    ):
        raise WorkspaceError(f"{path} is not in the format of this kit. Fix it, or move it away.{advice}")
    return found


def _read(path: Path, advice: str = "") -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WorkspaceError(f"{path} cannot be read: {error}. Fix it, or move it away.{advice}") from None
    if not isinstance(found, dict):
        raise WorkspaceError(f"{path} is not a JSON object. Fix it, or move it away.{advice}")
    return found


def _write(path: Path, content: dict[str, Any]) -> None:
    """Write atomically: an interrupt loses nothing."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(json.dumps(content, indent=2) + "\n")
    Path(name).chmod(0o644)
    Path(name).replace(path)
