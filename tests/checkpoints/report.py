"""What a learner reads when a check has not passed: what was observed, what it means, and what to try."""

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

from exercises.diagnoses import diagnosis
from tests.checkpoints.processes import LearnerProcess
from tests.checkpoints.timeline import Timeline
from tests.checkpoints.verdict import Wrong

_WIDTH = 112
_MOST_LINES = 20
_FRAME = re.compile(r'^  File "(?P<file>[^"]+)", line (?P<line>\d+)(?:, in (?P<function>\S+))?')
_BLOCK = re.compile(r"^(?=Traceback \(most recent call last\)|  \+ Exception Group Traceback)", re.MULTILINE)
_RAISED = re.compile(r"^(\w+\.)*\w*(Error|Exception|Exit|Interrupt|Warning|NotImplemented\w*|\w+)(: .*)?$")


@dataclass(frozen=True)
class Raised:
    """An exception in the learner's code, at the learner's own line."""

    file: str
    line: int
    function: str
    source: str
    error: str

    def lines(self) -> list[str]:
        """It in two lines."""
        where = f"{self.file}, line {self.line}" + (f", in {self.function}" if self.function != "<module>" else "")
        return [f"{where}:  {self.source}".rstrip(": "), f"raised {self.error}"]


def raised_in(process: LearnerProcess) -> Raised | None:
    """The last exception that a process printed and that came through the learner's own files."""
    return last_raised(process.printed, process.folder)


def last_raised(printed: str, folder: Path) -> Raised | None:
    """The last traceback in `printed` with a frame in `folder`, cut at the learner's last line."""
    found = None
    for block in _BLOCK.split(printed):
        lines = [line.lstrip("| ") if line.lstrip().startswith("|") else line for line in block.splitlines()]
        own = None
        for number, line in enumerate(lines):
            frame = _FRAME.match(line if line.startswith("  File") else f"  {line.lstrip()}")
            if frame and Path(frame["file"]).is_relative_to(folder):
                source = lines[number + 1].strip() if number + 1 < len(lines) else ""
                own = (Path(frame["file"]).name, int(frame["line"]), frame["function"] or "<module>", source)
            elif own and line and not line.startswith((" ", "~", "^")) and _RAISED.match(line):
                found = Raised(*own, _short(line))
                break
    return found


def failed(
    title: str, wrong: Wrong, timeline: Timeline, raised: Raised | None, exercise: int | None, points: str
) -> list[str]:
    """The lines for a failed check: twenty at most."""
    meaning = diagnosis(wrong.code)
    if wrong.seen:
        timeline.note(wrong.seen)
    more = f"kit explain {wrong.code}" + (f"    kit hint {exercise}" if exercise else "")
    below = [
        *(_part("Your code", timeline.named(line)) for line in (raised.lines() if raised else []) if line),
        f"  {wrong.code}: {meaning.title}.",
        *_wrapped("Likely", wrong.likely or meaning.likely),
        *_wrapped("Next", wrong.next_step or meaning.next_step),
        _part("More", more),
    ]
    if raised:
        below[1] = " " * 12 + below[1].removeprefix("  Your code").strip()
    return [f"✗ {title}  ({points})", *timeline.lines(_MOST_LINES - 1 - len(below)), *below]


def _part(name: str, text: str) -> str:
    return f"  {name:<10}{text}"


def _wrapped(name: str, text: str) -> list[str]:
    lines = textwrap.wrap(text, _WIDTH - 12) or [""]
    return [_part(name, lines[0]), *(" " * 12 + line for line in lines[1:])]


def _short(line: str) -> str:
    return line if len(line) <= 100 else line[:99] + "…"
