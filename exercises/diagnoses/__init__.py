"""What can be wrong with a learner's code, each cause under a stable code: one Markdown file per code beside this.

A file begins with a heading (the cause in one line), then a paragraph that starts with "Likely:", and one that
starts with "Next:". The rest is the whole story, with a drawing of the requests in time.
"""

import functools
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Diagnosis:
    """The named cause that a failed check reports."""

    code: str
    title: str
    likely: str
    next_step: str
    story: str


class UnknownCode(Exception):
    """There is no such code."""


def codes() -> list[str]:
    """Every code, in alphabetical order."""
    return sorted(path.stem for path in _HERE.glob("*.md"))


@functools.cache
def diagnosis(code: str) -> Diagnosis:
    """What a code means. Raises `UnknownCode`, and `ValueError` for a file that lacks a part."""
    if code not in codes():
        raise UnknownCode(code)
    text = (_HERE / f"{code}.md").read_text(encoding="utf-8")
    head, likely, next_step, *story = text.strip().split("\n\n")
    if not (head.startswith("# ") and likely.startswith("Likely: ") and next_step.startswith("Next: ") and story):
        raise ValueError(f"{code}.md must have a heading, Likely:, Next:, and a story")
    return Diagnosis(code, head[2:], _one_line(likely[8:]), _one_line(next_step[6:]), "\n\n".join(story))


def _one_line(text: str) -> str:
    return " ".join(text.split())
