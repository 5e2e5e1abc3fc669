"""Passes the load process's report about itself to the process that started it."""

import json
from dataclasses import asdict
from pathlib import Path

from benchmarks.records.run import LoadReport


def write_load_report(path: Path, report: LoadReport) -> None:
    """Write the report as JSON."""
    path.write_text(json.dumps(asdict(report)), encoding="utf-8")


def read_load_report(path: Path) -> LoadReport | None:
    """Read the report; None without one, because the load process was interrupted."""
    try:
        return LoadReport(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
