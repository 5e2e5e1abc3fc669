"""What a learner reads if a check has not passed: what was observed, what it means, and what to try."""

import re
import textwrap
from pathlib import Path

from tests.checkpoints.engine.diagnosis.explanations import Explanation
from tests.checkpoints.engine.diagnosis.failures import Wrong
from tests.checkpoints.engine.diagnosis.learner_output import Raised
from tests.checkpoints.engine.diagnosis.timeline import Timeline

_WIDTH = 112
_MOST_LINES = 20
_TODO = re.compile(r"\bTODO \d+")


def gaps(folder: Path) -> str:
    """The gaps of an exercise that are left in the learner's files, as a sentence; empty if there are none."""
    open_gaps = {
        file.name: sorted(set(_TODO.findall(file.read_text(errors="replace")))) for file in sorted(folder.glob("*.py"))
    }
    named = [f"{', '.join(todos)} in {name}" for name, todos in open_gaps.items() if todos]
    return (
        f"{' and '.join(named)} may still be open. (Remove the comment when you have filled the gap.)" if named else ""
    )


def failed(
    title: str,
    wrong: Wrong,
    explanation: Explanation,
    timeline: Timeline,
    raised: Raised | None,
    *,
    exercise: int | None,
    points: str,
    still_open: str = "",
) -> list[str]:
    """The lines for a failed check, at most twenty."""
    if wrong.seen:
        timeline.note(wrong.seen)
    more = f"kit explain {wrong.code}" + (f"    kit hint {exercise}" if exercise else "")
    below = [
        *(_part("Your code", timeline.named(line)) for line in (raised.lines() if raised else []) if line),
        f"  {wrong.code}: {explanation.title}.",
        *_wrapped("Likely", wrong.likely or explanation.likely),
        *_wrapped("Next", wrong.next_step or explanation.next_step),
        *(_wrapped("Open", still_open) if still_open else []),
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
