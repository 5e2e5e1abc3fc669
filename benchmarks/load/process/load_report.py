"""How the load process hands over what it saw of itself."""

import json
from dataclasses import asdict
from pathlib import Path

from benchmarks.records.run import LoadReport


def write_load_report(path: Path, report: LoadReport) -> None:
    """For the process that started this one."""
    path.write_text(json.dumps(asdict(report)), encoding="utf-8")


def read_load_report(path: Path) -> LoadReport | None:
    """None when there is none: the load process was stopped before its end."""
    try:
        return LoadReport(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
