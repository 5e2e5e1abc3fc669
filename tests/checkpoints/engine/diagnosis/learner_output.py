"""What the learner's processes printed: the last exception with a line in the learner's files, or a coroutine that was
never awaited."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from tests.checkpoints.engine.diagnosis.unawaited import WARNING, never_awaited

_FRAME = re.compile(r'^  File "(?P<file>[^"]+)", line (?P<line>\d+)(?:, in (?P<function>\S+))?')
_BLOCK = re.compile(r"^(?=Traceback \(most recent call last\)|  \+ Exception Group Traceback)", re.MULTILINE)
_WHILE_HANDLING = "During handling of the above exception, another exception occurred:"
_RAISED = re.compile(r"^(\w+\.)*\w*(Error|Exception|Exit|Interrupt|Warning|NotImplemented\w*|\w+)(: .*)?$")


class LearnerOutput(Protocol):
    """A process that runs the learner's code, and what it printed."""

    @property
    def folder(self) -> Path:
        """The folder of the learner's files."""

    @property
    def output(self) -> str:
        """The end of what it printed."""


@dataclass(frozen=True)
class Raised:
    """What Python printed about a line of the learner's code: an exception, unless `how` is empty."""

    file: str
    line: int
    function: str
    source: str
    error: str
    how: str = "raised "

    def lines(self) -> list[str]:
        """The same in two lines, for the learner."""
        where = f"{self.file}, line {self.line}" + (f", in {self.function}" if self.function != "<module>" else "")
        return [f"{where}:  {_short(self.source)}" if self.source else where, f"{self.how}{self.error}"]


def raised_in(process: LearnerOutput) -> Raised | None:
    """The last exception that a process printed with a line in the learner's files."""
    return last_raised(process.output, process.folder)


def unawaited_in(process: LearnerOutput) -> Raised | None:
    """The last coroutine that the learner's code created and discarded without an `await`."""
    found = never_awaited(process.output, process.folder)
    if found is None:
        return None
    name, made = found
    own = (Path(made["file"]).name, int(made["line"]), made["function"], made["source"].strip())
    return Raised(*own, f"coroutine '{name}' was never awaited", how="")


def last_raised(output: str, folder: Path) -> Raised | None:
    """The last traceback in `output` with a frame in `folder`, cut at the learner's last line."""
    found, chained = None, False
    for block in _BLOCK.split(WARNING.sub("", output)):
        lines = [line.lstrip("| ") if line.lstrip().startswith("|") else line for line in block.splitlines()]
        own = None
        for number, line in enumerate(lines):
            frame = _FRAME.match(line if line.startswith("  File") else f"  {line.lstrip()}")
            if found and chained and not own and not line.startswith((" ", "~", "^")) and _RAISED.match(line):
                found, chained = replace(found, error=_short(line)), False  # it was replaced by this exception
            if frame and Path(frame["file"]).is_relative_to(folder):
                source = lines[number + 1].strip() if number + 1 < len(lines) else ""
                own = (Path(frame["file"]).name, int(frame["line"]), frame["function"] or "<module>", source)
            elif own and line and not line.startswith((" ", "~", "^")) and _RAISED.match(line):
                found = Raised(*own, _short(line))
                break
        chained = own is not None and lines[-3:] == ["", _WHILE_HANDLING, ""]
    return found


def _short(line: str) -> str:
    return line if len(line) <= 100 else line[:99] + "…"
