"""Every callback that the load process received, one line each: what it was, and what was done with it."""

import csv
from collections import Counter
from enum import StrEnum
from pathlib import Path

HEADER = ("pattern", "trial", "at", "webhook_id", "verdict")


class Verdict(StrEnum):
    """What a receiver does with a delivery."""

    TAKEN = "taken"
    REPEATED = "repeated"  # its webhook-id came before
    REFUSED = "refused"  # its signature, its timestamp or its body is wrong


class CallbackWriter:
    """Appends to a file that several trials share, and flushes each line."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = not path.exists() or path.stat().st_size == 0
        self._file = path.open("a", encoding="utf-8", newline="", buffering=1)
        self._rows = csv.writer(self._file, lineterminator="\n")
        if new:
            self._rows.writerow(HEADER)

    def write(self, pattern: str, trial: int, at: float, webhook_id: str, verdict: Verdict) -> None:
        """Append one row."""
        self._rows.writerow([pattern, trial, f"{at:.6f}", webhook_id, verdict])

    def close(self) -> None:
        """Give the file back."""
        self._file.close()


def count_callbacks(path: Path) -> dict[str, Counter[str]]:
    """How many callbacks of each pattern met each verdict."""
    counts: dict[str, Counter[str]] = {}
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                counts.setdefault(row["pattern"], Counter())[row["verdict"] or ""] += 1
    return counts
