"""What can be wrong with a learner's code, each cause with a stable code: one Markdown file per code in this folder.

A file has a heading (the cause in one line), then a paragraph that starts with "Likely:", and another that starts with
"Next:". The rest is the full explanation, with a drawing of the requests over time.

What the checks must know about a code is in front matter, between two lines of `---`; all of it is optional:

- `explained-by`: what in the learner's output is the reason, and replaces "Likely:" and "Next:". A list, separated by
  commas: `coroutine` (a coroutine that was never awaited), `sleep` (an `asyncio.sleep` that was never awaited),
  `mistake` (a NameError, a TypeError and similar exceptions), `exception` (any exception).
- `shows-exceptions: no`: an exception in the learner's output was caught or intended, and is not shown.
- `fatal`: why no other check can pass; they are not run.
"""

import functools
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent
_REASONS = {"coroutine", "sleep", "mistake", "exception"}


@dataclass(frozen=True)
class Diagnosis:
    """The named cause that a failed check reports."""

    code: str
    title: str
    likely: str
    next_step: str
    story: str
    explained_by: frozenset[str] = frozenset()
    shows_exceptions: bool = True
    fatal: str = ""


class UnknownCode(Exception):
    """There is no such code."""


def codes() -> list[str]:
    """Every code, in alphabetical order."""
    return sorted(path.stem for path in _HERE.glob("*.md"))


@functools.cache
def diagnosis(code: str) -> Diagnosis:
    """The diagnosis for a code. Raises `UnknownCode`, and `ValueError` for a file that lacks a part."""
    if code not in codes():
        raise UnknownCode(code)
    properties, text = _front_matter(code, (_HERE / f"{code}.md").read_text(encoding="utf-8"))
    head, likely, next_step, *story = text.strip().split("\n\n")
    if not (head.startswith("# ") and likely.startswith("Likely: ") and next_step.startswith("Next: ") and story):
        raise ValueError(f"{code}.md must have a heading, Likely:, Next:, and a story")
    return Diagnosis(
        code=code,
        title=head[2:],
        likely=_one_line(likely[8:]),
        next_step=_one_line(next_step[6:]),
        story="\n\n".join(story),
        explained_by=frozenset(filter(None, properties.get("explained-by", "").split(", "))),
        shows_exceptions=properties.get("shows-exceptions") != "no",
        fatal=properties.get("fatal", ""),
    )


def _front_matter(code: str, text: str) -> tuple[dict[str, str], str]:
    """The properties above the heading, and the text below them. Raises `ValueError` for an unknown property."""
    if not text.startswith("---\n"):
        return {}, text
    head, _, rest = text.removeprefix("---\n").partition("\n---\n")
    properties = dict(line.split(": ", 1) for line in head.splitlines())
    unknown = set(properties) - {"explained-by", "shows-exceptions", "fatal"}
    unknown |= set(filter(None, properties.get("explained-by", "").split(", "))) - _REASONS
    if unknown or properties.get("shows-exceptions", "no") != "no":
        raise ValueError(f"{code}.md: unknown property or value: {', '.join(sorted(unknown)) or 'shows-exceptions'}")
    return properties, rest


def _one_line(text: str) -> str:
    return " ".join(text.split())
