"""A small kit with two exercises that tests can change, as a new release does."""

from pathlib import Path

import pytest

from exercises import course as course_module
from exercises import workspace as workspace_module
from exercises.course import Exercise


class Kit:
    """A small kit with two exercises that can be changed."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch
        folder.mkdir()
        (folder / "README.md").write_text("the course\n")
        monkeypatch.setattr(course_module, "HERE", folder)
        monkeypatch.setattr(workspace_module, "HERE", folder)
        self.offer("ex01_first", "ex02_second")

    def offer(self, *names: str) -> None:
        """Replace the exercises of the kit."""
        listed = tuple(Exercise(name, name, "polling", 5, ("app.py",), ("fastapi",), "do it") for name in names)
        for name in names:
            (self.folder / name).mkdir(exist_ok=True)
            for file in ("app.py", "README.md", "hints.md"):
                if not (self.folder / name / file).exists():
                    (self.folder / name / file).write_text(f"{file} of {name[5:]}\n")
        self._monkeypatch.setattr(workspace_module, "course", lambda: listed)
        self.exercises = listed
