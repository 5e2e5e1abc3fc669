"""Writes rows to files that all trials share. Each row is flushed, so that an interrupted run keeps its rows."""

from pathlib import Path
from typing import Protocol, TextIO

from benchmarks.records import callbacks, samples

SAMPLES, CALLBACKS = "samples", "callbacks"
_HEADERS = {
    kind: ",".join(columns) + "\n" for kind, columns in ((SAMPLES, samples.HEADER), (CALLBACKS, callbacks.HEADER))
}


class Rows(Protocol):
    """Accepts rows of kind `SAMPLES` or `CALLBACKS`, as lines of CSV."""

    def write(self, kind: str, row: str) -> None:
        """Write a row."""


class RowFiles:
    """Appends rows to files. Without a path for their kind, rows are discarded."""

    def __init__(self, samples: str | None, callbacks: str | None) -> None:
        self._paths = {SAMPLES: samples, CALLBACKS: callbacks}
        self._open: dict[str, TextIO] = {}

    def write(self, kind: str, row: str) -> None:
        """Append one or more rows, after the header if the file is new."""
        if not (path := self._paths[kind]):
            return
        if kind not in self._open:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            new = not Path(path).exists() or Path(path).stat().st_size == 0
            file = self._open[kind] = Path(path).open("a", encoding="utf-8", newline="", buffering=1)  # noqa: SIM115 as long as the process
            if new:
                file.write(_HEADERS[kind])
        self._open[kind].write(row)
        self._open[kind].flush()

    def close(self) -> None:
        """Close the files. Every row is flushed already."""
        for file in self._open.values():
            file.close()
