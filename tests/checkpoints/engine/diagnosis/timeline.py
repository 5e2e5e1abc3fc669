"""What was observed during a check, in order."""

import time
from itertools import pairwise


class Timeline:
    """Notes of what was observed, each with the seconds since the earliest."""

    def __init__(self) -> None:
        self._notes: list[tuple[float, str]] = []
        self._names: dict[str, str] = {}

    def note(self, text: str, at: float | None = None) -> None:
        """Add a note of what was just observed. `at` is a time from `time.monotonic()`."""
        self._notes.append((time.monotonic() if at is None else at, text))

    def begin_again(self) -> None:
        """Delete all notes: the check starts again."""
        self._notes.clear()

    def amend(self, text: str) -> None:
        """Append to the last note."""
        at, before = self._notes[-1]
        self._notes[-1] = (at, f"{before}{text}")

    def call(self, task_id: str, name: str) -> None:
        """Give a long id a short name. The first name is kept."""
        self._names.setdefault(task_id, name)

    def last_wait(self) -> float:
        """The longest gap in seconds between the last few notes, and between the last note and now."""
        moments = [*sorted(at for at, _ in self._notes), time.monotonic()]
        return max((later - earlier for earlier, later in pairwise(moments[-6:])), default=0.0)

    def lines(self, most: int) -> list[str]:
        """The notes as lines; if there are too many, the first and the last ones."""
        if not self._notes:
            return []
        earliest = min(at for at, _ in self._notes)
        lines = [f"{at - earliest:6.2f} s  {self._short(text)}" for at, text in self._notes]
        if len(lines) > most:
            head = most // 2
            left_out = len(lines) - most + 1
            lines[head : head + left_out] = [f"     …    ({left_out} more)"]
        return lines

    def named(self, text: str) -> str:
        """The text, with short names instead of the long ids."""
        for task_id, name in self._names.items():
            text = text.replace(task_id, name)
        return text

    def _short(self, text: str) -> str:
        text = self.named(text)
        return text if len(text) <= 96 else text[:95] + "…"
