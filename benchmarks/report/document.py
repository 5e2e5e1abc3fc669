"""A report as data: sections of blocks, which HTML, Markdown and the terminal render.

In a text, a word between backticks is code. Names and reasons may contain any character: the renderers escape them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Tone(StrEnum):
    """The emphasis of a cell."""

    PLAIN = "plain"
    BAD = "bad"  # a loss, a failure, a missing value
    GOOD = "good"
    QUIET = "quiet"  # no answer: a tie, too few tasks, nothing measured


@dataclass(frozen=True)
class Cell:
    """One cell of a table."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True)
class Rows:
    """Rows that may be compared with each other, under the question that they answer. The first cell is the name."""

    heading: str
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Table:
    """A table. The columns in `words` are left-aligned, the others right-aligned."""

    caption: str
    columns: Sequence[str]
    groups: Sequence[Rows]
    words: frozenset[int] = frozenset({0})
    folded: bool = False  # details: opened by a click, not shown in a terminal
    sentences: bool = False  # a row reads as a sentence: if you need …, use …, because …


@dataclass(frozen=True)
class Text:
    """A paragraph with an optional lead in bold."""

    text: str
    lead: str = ""


@dataclass(frozen=True)
class Notice:
    """A highlighted paragraph: a warning if `loud`, else a note."""

    text: str
    loud: bool = True


@dataclass(frozen=True)
class Point:
    """A list item with a lead in bold."""

    lead: str
    text: str


@dataclass(frozen=True)
class Points:
    """A list; a numbered one if it holds the answers of the report."""

    items: Sequence[Point]
    answers: bool = False


@dataclass(frozen=True)
class Plot:
    """A Plotly figure. Colours are names of CSS properties (`--wait`), so that they follow the page's theme."""

    title: str
    alternative: str  # the text alternative
    data: Sequence[Mapping[str, Any]]
    layout: Mapping[str, Any] = field(default_factory=dict)
    height: int = 240


@dataclass(frozen=True)
class Plots:
    """Plots with the same axes side by side, under a heading, with their data as tables."""

    heading: str
    plots: Sequence[Plot]
    tables: Sequence[Table]
    note: str = ""  # how to read the plots; omitted where none is drawn
    small: bool = False  # small multiples


Block = Text | Notice | Points | Table | Plots


@dataclass(frozen=True)
class Section:
    """A heading and the blocks beneath it."""

    key: str
    title: str
    blocks: Sequence[Block]
    folded: bool = False  # not shown in a terminal


@dataclass(frozen=True)
class Document:
    """A whole report."""

    title: str
    about: str
    sections: Sequence[Section]


def code(name: str) -> str:
    """A name in backticks."""
    return f"`{name.replace('`', chr(39))}`"


def listed(words: Sequence[str], last: str = "and") -> str:
    """`a, b and c`."""
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def plain_cells(*texts: str) -> tuple[Cell, ...]:
    """Cells without a tone."""
    return tuple(Cell(text) for text in texts)


def capitalized(text: str) -> str:
    """The text with its first letter capitalized."""
    return text[:1].upper() + text[1:]
