"""`callbacks.csv`: a row for each callback that the load process received, with the receiver's verdict."""

import csv
import io
from collections import Counter
from enum import StrEnum
from pathlib import Path

HEADER = ("pattern", "trial", "at", "webhook_id", "verdict")


class CallbackVerdict(StrEnum):
    """What the receiver did with a delivery."""

    ACCEPTED = "taken"  # recorded under this name
    REPEATED = "repeated"  # a webhook-id that was received before
    REFUSED = "refused"  # a wrong signature, timestamp or body


def callback_row(pattern: str, trial: int, at: float, webhook_id: str, verdict: CallbackVerdict) -> str:
    """One line of CSV."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([pattern, trial, f"{at:.6f}", webhook_id, verdict])
    return line.getvalue()


def count_callbacks(path: Path) -> dict[str, Counter[str]]:
    """The number of callbacks per pattern and verdict."""
    counts: dict[str, Counter[str]] = {}
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                counts.setdefault(row["pattern"], Counter())[row["verdict"] or ""] += 1
    return counts
