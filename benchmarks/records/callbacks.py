"""Every callback that the load process received, one line each: what it was, and what was done with it."""

import csv
import io
from collections import Counter
from enum import StrEnum
from pathlib import Path

HEADER = ("pattern", "trial", "at", "webhook_id", "verdict")


class CallbackVerdict(StrEnum):
    """What a receiver does with a delivery."""

    TAKEN = "taken"
    REPEATED = "repeated"  # its webhook-id came before
    REFUSED = "refused"  # its signature, its timestamp or its body is wrong


def callback_row(pattern: str, trial: int, at: float, webhook_id: str, verdict: CallbackVerdict) -> str:
    """One line of CSV."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([pattern, trial, f"{at:.6f}", webhook_id, verdict])
    return line.getvalue()


def count_callbacks(path: Path) -> dict[str, Counter[str]]:
    """How many callbacks of each pattern met each verdict."""
    counts: dict[str, Counter[str]] = {}
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                counts.setdefault(row["pattern"], Counter())[row["verdict"] or ""] += 1
    return counts
