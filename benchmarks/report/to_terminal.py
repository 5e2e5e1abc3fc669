"""Renders a report in a terminal of 80 columns or more. Numbers are never truncated; wide cells wrap at spaces."""

import re
from collections.abc import Sequence
from typing import assert_never

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text as RichText

from benchmarks.report.document import (
    Block,
    Cell,
    Document,
    Notice,
    Plots,
    Point,
    Points,
    Rows,
    Section,
    Table,
    Text,
    Tone,
)

_CODE = re.compile("`([^`]+)`")
_STYLES = {Tone.PLAIN: "", Tone.BAD: "bold red", Tone.GOOD: "green", Tone.QUIET: "dim italic"}


def print_document(console: Console, document: Document) -> None:
    """Print the document, except for its folded parts."""
    console.print(RichText(document.title, style="bold"), inline(document.about), sep="\n")
    for number, section in enumerate(document.sections, start=1):
        if not section.folded:
            console.print(_section(number, section))
    if elsewhere := [section.title for section in document.sections if section.folded]:
        console.print(inline(f"\nOnly in the HTML and Markdown reports: {'; '.join(elsewhere)}.", "dim"))


def inline(text: str, style: str = "") -> RichText:
    """A text with its code in colour. Rich's markup in it is not interpreted."""
    line = RichText(style=style)
    for number, part in enumerate(_CODE.split(text)):
        line.append(part, style="cyan" if number % 2 and not style else "")
    return line


class FittedTable:
    """A Rich table that wraps a number only before its interval, and no word, unless the terminal is very narrow."""

    def __init__(self, table: Table, rows: Rows) -> None:
        self._table = table
        self._rows = rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render with two spaces between columns where there is room, otherwise one."""
        least = [self._least_width(number) for number in range(len(self._table.columns))]
        fits = {gap: sum(least) + gap * (len(least) - 1) <= options.max_width for gap in (2, 1)}
        drawn = RichTable(box=None, pad_edge=False, header_style="dim", padding=(0, 2 if fits[2] else 1, 0, 0))
        for number, name in enumerate(self._table.columns):
            longest = max(map(len, [_without_backticks(name), *self._texts(number)]))
            drawn.add_column(
                inline(name),
                justify="left" if number in self._table.words else "right",
                min_width=least[number] if fits[1] else None,
                no_wrap=fits[1] and longest <= least[number],  # Rich narrows what may wrap, also below its minimum
                overflow="fold",
            )
        for row in self._rows.rows:
            drawn.add_row(*map(_cell, row))
        yield drawn

    def _texts(self, number: int) -> list[str]:
        return [_without_backticks(row[number].text) for row in self._rows.rows]

    def _least_width(self, number: int) -> int:
        texts = "\n".join(self._texts(number))
        parts = texts.split() if number in self._table.words else texts.replace(" (", "\n(").splitlines()
        return max(map(len, [*_without_backticks(self._table.columns[number]).split(), *parts, " "]))


def _section(number: int, section: Section) -> Group:
    heading = RichText(f"\n{number} {section.title}", style="bold underline")
    parts: list[RenderableType] = []
    for before, block in zip([None, *section.blocks], section.blocks, strict=False):
        # A blank line separates a paragraph from the table above it.
        parts += [*([""] if isinstance(before, Table | Plots) and isinstance(block, Text) else []), *_block(block)]
    folded = [table.caption for table in _tables(section.blocks) if table.folded]
    titles = "; ".join(dict.fromkeys(folded))
    more = [inline(f"Only in the HTML and Markdown reports: {titles}.", "dim")] if folded else []
    return Group(heading, *parts, *more)


def _tables(blocks: Sequence[Block]) -> list[Table]:
    own = [block for block in blocks if isinstance(block, Table)]
    return own + [table for block in blocks if isinstance(block, Plots) for table in block.tables]


def _block(block: Block) -> list[RenderableType]:
    match block:
        case Text():
            return [_paragraph(block)]
        case Notice():
            return [inline(f"! {block.text}", "bold red" if block.loud else "yellow")]
        case Points():
            return [Padding(_paragraph(point), (0, 0, 0, 2)) for point in block.items]
        case Table():
            return _table(block)
        case Plots():
            return [part for table in block.tables for part in _table(table)]
        case _:
            assert_never(block)


def _paragraph(block: Text | Point) -> RichText:
    return RichText.assemble((f"{block.lead} " if block.lead else "", "bold"), inline(block.text))


def _table(table: Table) -> list[RenderableType]:
    if table.folded:
        return []
    # One table for each question, so that only comparable rows share a table.
    parts: list[RenderableType] = [inline(f"\n{table.caption}", "bold")]
    for rows in table.groups:
        if rows.heading:
            parts.append(inline(rows.heading, "italic"))
        parts += [_sentence(row) for row in rows.rows] if table.sentences else [FittedTable(table, rows)]
    return parts


def _sentence(row: Sequence[Cell]) -> RenderableType:
    first, second, *others = map(_cell, row)
    use = ": " if row[1].tone is Tone.QUIET else ": use "
    head = RichText.assemble(("if you need ", "dim"), first, (use, "dim"), second)
    return Group(head, *(Padding(other, (0, 0, 0, 4)) for other in others))


def _cell(cell: Cell) -> RichText:
    return inline(cell.text, _STYLES[cell.tone])


def _without_backticks(text: str) -> str:
    return _CODE.sub(r"\1", text)
