"""The folder of a learner, as `kit init` makes it."""

import shutil
from pathlib import Path

from exercises.course import Exercise


def solve(folder: Path, exercise: Exercise) -> None:
    """Write the solution of an exercise into a learner's folder."""
    shutil.copytree(exercise.solution, folder / exercise.folder, dirs_exist_ok=True)
