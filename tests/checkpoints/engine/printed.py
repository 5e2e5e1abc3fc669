"""What the learner's processes printed, and what it says of why a check failed: the last exception that came through
the learner's own files, at the learner's line; a coroutine that nobody awaited; or what broke behind them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.checkpoints.engine.broken import last_error
from tests.checkpoints.engine.broken import meaning as what_broke
from tests.checkpoints.engine.processes import LearnerProcess
from tests.checkpoints.engine.timeline import Timeline
from tests.checkpoints.engine.unawaited import HANDED_OVER, MEANING, WARNING, never_awaited
from tests.checkpoints.engine.verdict import Wrong

_FRAME = re.compile(r'^  File "(?P<file>[^"]+)", line (?P<line>\d+)(?:, in (?P<function>\S+))?')
_BLOCK = re.compile(r"^(?=Traceback \(most recent call last\)|  \+ Exception Group Traceback)", re.MULTILINE)
_WHILE_HANDLING = "During handling of the above exception, another exception occurred:"
_RAISED = re.compile(r"^(\w+\.)*\w*(Error|Exception|Exit|Interrupt|Warning|NotImplemented\w*|\w+)(: .*)?$")
#: Something did not come. That a line before it raised, or never ran, is why.
_NOTHING_CAME = {
    "CALLBACK_DROPPED",
    "CALLBACK_NOT_RETRIED",
    "CALLBACK_NOT_SENT",
    "NEVER_FORGOTTEN",
    "PENDING_FOREVER",
    "SERVER_ERROR",
}
#: Something came too often, too soon, or as another. No exception that was printed on the way is why.
_BY_NO_EXCEPTION = {
    "CALLBACK_REPEATED",
    "HANDLED_TWICE",
    "NEVER_ENOUGH",
    "NO_JITTER",
    "RETRIED_TOO_SOON",
    "WEBHOOK_ID_WRONG",
}
#: What an `asyncio.sleep` that nobody awaits leaves out.
_NO_PAUSE = {"FORGOTTEN_TOO_SOON", "POLLS_TOO_OFTEN", "RETRIED_TOO_SOON"}
_HANDS_OVER = re.compile(r"\b(add_task|call_later|call_soon|delay|Thread|submit)\(")
_OWN_MISTAKE = re.compile(r"(Attribute|Import|Index|ModuleNotFound|Name|Type|UnboundLocal)Error\b")


@dataclass(frozen=True)
class Raised:
    """What Python printed about the learner's code, at the learner's own line: an exception, unless `how` is empty."""

    file: str
    line: int
    function: str
    source: str
    error: str
    how: str = "raised "

    def lines(self) -> list[str]:
        """It in two lines."""
        where = f"{self.file}, line {self.line}" + (f", in {self.function}" if self.function != "<module>" else "")
        return [f"{where}:  {_short(self.source)}" if self.source else where, f"{self.how}{self.error}"]


def raised_in(process: LearnerProcess) -> Raised | None:
    """The last exception that a process printed and that came through the learner's own files."""
    return last_raised(process.printed, process.folder)


def unawaited_in(process: LearnerProcess) -> Raised | None:
    """The last coroutine that the learner's own code made and that was thrown away without an `await`."""
    found = never_awaited(process.printed, process.folder)
    if found is None:
        return None
    name, made = found
    own = (Path(made["file"]).name, int(made["line"]), made["function"], made["source"].strip())
    return Raised(*own, f"coroutine '{name}' was never awaited", how="")


def last_raised(printed: str, folder: Path) -> Raised | None:
    """The last traceback in `printed` with a frame in `folder`, cut at the learner's last line."""
    found, chained = None, False
    for block in _BLOCK.split(WARNING.sub("", printed)):
        lines = [line.lstrip("| ") if line.lstrip().startswith("|") else line for line in block.splitlines()]
        own = None
        for number, line in enumerate(lines):
            frame = _FRAME.match(line if line.startswith("  File") else f"  {line.lstrip()}")
            if found and chained and not own and not line.startswith((" ", "~", "^")) and _RAISED.match(line):
                found, chained = replace(found, error=_short(line)), False  # on the way out it has become this
            if frame and Path(frame["file"]).is_relative_to(folder):
                source = lines[number + 1].strip() if number + 1 < len(lines) else ""
                own = (Path(frame["file"]).name, int(frame["line"]), frame["function"] or "<module>", source)
            elif own and line and not line.startswith((" ", "~", "^")) and _RAISED.match(line):
                found = Raised(*own, _short(line))
                break
        chained = own is not None and lines[-3:] == ["", _WHILE_HANDLING, ""]
    return found


def explain(wrong: Wrong, timeline: Timeline, processes: Sequence[LearnerProcess], gap: str | None) -> Raised | None:
    """What to show of the learner's code. Where it says more than the diagnosis does, the diagnosis is told by it.

    A gap of the stub that was reached is the whole story; `gap` is the only one that can be why this check fails.
    """
    raised = next(filter(None, map(raised_in, reversed(processes))), None)
    if raised and raised.error.startswith("NotImplementedError"):
        if gap is not None and gap not in raised.error:
            return None
        wrong.code, wrong.likely, wrong.next_step = "NOT_IMPLEMENTED", "", ""
        return raised
    unawaited = next(filter(None, map(unawaited_in, reversed(processes))), None)
    if unawaited and (raised is None or "coroutine" in raised.error):
        if wrong.code in (_NO_PAUSE if "'sleep'" in unawaited.error else _NOTHING_CAME):
            wrong.likely, wrong.next_step = HANDED_OVER if _HANDS_OVER.search(unawaited.source) else MEANING
        return unawaited
    if raised and wrong.code in _BY_NO_EXCEPTION:
        return None  # it was caught, or meant
    if raised and (meant := _meaning(wrong, raised)):
        wrong.likely, wrong.next_step = meant
    elif not raised and not wrong.likely:
        _tell_what_broke(wrong, timeline, processes)
    return raised


def _meaning(wrong: Wrong, raised: Raised) -> tuple[str, str] | None:
    if "'coroutine' object" in raised.error:
        return MEANING
    if "object has no attribute 'encode'" in raised.error:
        return (
            "a header's value is no text: a number cannot be sent as it is.",
            'write it as one: `{"Retry-After": "5"}`, or `str(seconds)`.',
        )
    if wrong.code == "PENDING_FOREVER" and not wrong.likely:
        return (
            "that exception came before the work: whoever should have worked on the task may have ended with it.",
            "look what the line above was given: mend that line, or what calls it.",
        )
    if wrong.code in _NOTHING_CAME - {"SERVER_ERROR"} and _OWN_MISTAKE.match(raised.error):
        return (
            "a mistake in your own code: what should have come after the line above did not come.",
            "look what that line was given: mend it, or what calls it.",
        )
    return None


def _tell_what_broke(wrong: Wrong, timeline: Timeline, processes: Sequence[LearnerProcess]) -> None:
    for error in map(last_error, (process.printed for process in processes)):
        likely, next_step = what_broke(error)
        if likely:
            timeline.note(f"it printed {error}")
            wrong.likely, wrong.next_step = likely, next_step


def _short(line: str) -> str:
    return line if len(line) <= 100 else line[:99] + "…"
