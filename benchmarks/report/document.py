"""A report before it is a file: sections of blocks, the same for HTML, Markdown and the terminal.

In a text, a word between backticks is code. Names and reasons that come from elsewhere may hold any character; it is
the drawing that escapes them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Tone(StrEnum):
    """How a cell is to be read."""

    PLAIN = "plain"
    BAD = "bad"  # a loss, a failure, something that is not there
    GOOD = "good"
    QUIET = "quiet"  # no answer: a tie, too few tasks, nothing measured


@dataclass(frozen=True)
class Cell:
    """One cell of a table."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True)
class Rows:
    """Rows that may be compared with each other, and what they answer. The first cell of a row names it."""

    heading: str
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Table:
    """Numbers, or words. `words` are the columns that are read from the left; the others stand to the right."""

    caption: str
    columns: Sequence[str]
    groups: Sequence[Rows]
    words: frozenset[int] = frozenset({0})
    folded: bool = False  # details: opened by a click, and not in a terminal
    sentences: bool = False  # a row reads as a sentence: if you need …, use …, because …


@dataclass(frozen=True)
class Text:
    """A paragraph, and perhaps a few words that lead to it."""

    text: str
    lead: str = ""


@dataclass(frozen=True)
class Notice:
    """A paragraph that must not be overlooked; it is loud if something went wrong."""

    text: str
    loud: bool = True


@dataclass(frozen=True)
class Point:
    """An item of a list, with a few words that lead to it."""

    lead: str
    text: str


@dataclass(frozen=True)
class Points:
    """A list. `answers` are what the page is about."""

    items: Sequence[Point]
    answers: bool = False


@dataclass(frozen=True)
class Plot:
    """What Plotly draws. Colours are the names of the page's CSS properties (`--wait`), so that they follow it."""

    title: str
    alternative: str  # what it shows, in words
    data: Sequence[Mapping[str, Any]]
    layout: Mapping[str, Any] = field(default_factory=dict)
    height: int = 240


@dataclass(frozen=True)
class Plots:
    """Plots of the same axes beside each other, what question they answer, and their numbers."""

    heading: str
    plots: Sequence[Plot]
    tables: Sequence[Table]
    note: str = ""  # how to read them; left out where no plot is drawn
    small: bool = False  # many little ones with the same axes


Block = Text | Notice | Points | Table | Plots


@dataclass(frozen=True)
class Section:
    """One heading, and what stands beneath it."""

    key: str
    title: str
    blocks: Sequence[Block]
    folded: bool = False  # for a first reading: not in a terminal


@dataclass(frozen=True)
class Document:
    """A whole report."""

    title: str
    about: str
    sections: Sequence[Section]


def code(name: str) -> str:
    """A name as a word of code."""
    return f"`{name.replace('`', chr(39))}`"


def listed(words: Sequence[str], last: str = "and") -> str:
    """`a, b and c`."""
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def plain_cells(*texts: str) -> tuple[Cell, ...]:
    """Cells without a tone."""
    return tuple(Cell(text) for text in texts)


def capital(text: str) -> str:
    """The text with a capital at its beginning."""
    return text[:1].upper() + text[1:]
