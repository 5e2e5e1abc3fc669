"""The report in a terminal, from 80 columns on. No number is ever cut: what is too wide is broken where it may be."""

import re
from collections.abc import Sequence
from typing import Literal, assert_never

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text as RichText

from benchmarks.analysis.findings import Findings
from benchmarks.report.contents import page
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


def print_report(console: Console, findings: Findings) -> None:
    """Print all of it, but for what is folded in the files."""
    print_document(console, page(findings))


def print_document(console: Console, found: Document) -> None:
    """Print a page."""
    console.print(RichText(found.title, style="bold"), inline(found.about), sep="\n")
    for number, section in enumerate(found.sections, start=1):
        if not section.folded:
            console.print(_section(number, section))
    if elsewhere := [section.title for section in found.sections if section.folded]:
        console.print(inline(f"\nOnly in the HTML and the Markdown: {'; '.join(elsewhere)}.", "dim"))


def inline(text: str, style: str = "") -> RichText:
    """A text with its words of code. What looks like Rich's markup is not taken for it."""
    found = RichText(style=style)
    for number, part in enumerate(_CODE.split(text)):
        found.append(part, style="cyan" if number % 2 and not style else "")
    return found


def _section(number: int, found: Section) -> Group:
    heading = RichText(f"\n{number} {found.title}", style="bold underline")
    parts: list[RenderableType] = []
    for before, block in zip([None, *found.blocks], found.blocks, strict=False):
        # A paragraph stands apart from the table above it.
        parts += [*([""] if isinstance(before, Table | Plots) and isinstance(block, Text) else []), *_block(block)]
    folded = [table.caption for table in _tables(found.blocks) if table.folded]
    more = [inline(f"Only in the HTML and the Markdown: {'; '.join(dict.fromkeys(folded))}.", "dim")] if folded else []
    return Group(heading, *parts, *more)


def _tables(blocks: Sequence[Block]) -> list[Table]:
    own = [block for block in blocks if isinstance(block, Table)]
    return own + [table for block in blocks if isinstance(block, Plots) for table in block.tables]


def _block(block: Block) -> list[RenderableType]:
    match block:
        case Text():
            return [_led(block)]
        case Notice():
            return [inline(f"! {block.text}", "bold red" if block.loud else "yellow")]
        case Points():
            return [Padding(_led(point), (0, 0, 0, 2)) for point in block.items]
        case Table():
            return _table(block)
        case Plots():
            return [part for table in block.tables for part in _table(table)]
        case _:
            assert_never(block)


def _led(block: Text | Point) -> RichText:
    return RichText.assemble((f"{block.lead} " if block.lead else "", "bold"), inline(block.text))


def _table(table: Table) -> list[RenderableType]:
    if table.folded:
        return []
    # One table for each question: what stands in one may be compared.
    parts: list[RenderableType] = [inline(f"\n{table.caption}", "bold")]
    for rows in table.groups:
        if rows.heading:
            parts.append(inline(rows.heading, "italic"))
        parts += [_sentence(row) for row in rows.rows] if table.sentences else [Fitted(table, rows)]
    return parts


def _sentence(row: Sequence[Cell]) -> RenderableType:
    first, second, *others = map(_cell, row)
    head = RichText.assemble(("if you need ", "dim"), first, (": use ", "dim"), second)
    return Group(head, *(Padding(other, (0, 0, 0, 4)) for other in others))


def _cell(cell: Cell) -> RichText:
    return inline(cell.text, _STYLES[cell.tone])


class Fitted:
    """A table that asks how wide the terminal is before it breaks anything."""

    def __init__(self, table: Table, rows: Rows) -> None:
        self._table = table
        self._rows = rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Widths are reckoned here: Rich's own would cut a name or a number to make room for another."""
        whole, broken = self._texts(), self._texts(broken=True)
        ways = (
            (whole, 2, self._widths(whole, heads=True)),
            *((texts, gap, self._widths(texts)) for texts in (whole, broken) for gap in (2, 1)),
        )
        fitting = (way for way in ways if sum(way[2]) + way[1] * (len(way[2]) - 1) <= options.max_width)
        texts, gap, widths = next(fitting, ways[-1])
        widths = self._shrunk(widths, texts, options.max_width - gap * (len(texts) - 1))
        found = RichTable(box=None, pad_edge=False, header_style="dim", padding=(0, gap, 0, 0))
        for number, (name, width) in enumerate(zip(self._table.columns, widths, strict=True)):
            justify: Literal["left", "right"] = "left" if number in self._table.words else "right"
            found.add_column(inline(name), justify=justify, width=width, overflow="fold")
        for row, lines in zip(self._rows.rows, zip(*texts, strict=True), strict=True):
            found.add_row(*(_cell(Cell(text, cell.tone)) for cell, text in zip(row, lines, strict=True)))
        yield found

    def _texts(self, *, broken: bool = False) -> list[list[str]]:
        """By column; with `broken`, `12 ms (11-14)` in two lines."""
        found = [[row[number].text for row in self._rows.rows] for number in range(len(self._table.columns))]
        if not broken:
            return found
        return [
            column if number in self._table.words else [text.replace(" (", "\n(") for text in column]
            for number, column in enumerate(found)
        ]

    def _widths(self, texts: Sequence[Sequence[str]], *, heads: bool = False) -> list[int]:
        """As wide as the widest line; a heading may be broken into its words, unless `heads`."""
        names = [[_bare(name)] if heads else _bare(name).split() for name in self._table.columns]
        lines = [[line for text in column for line in _bare(text).split("\n")] for column in texts]
        return [max(map(len, (*head, *column, " "))) for head, column in zip(names, lines, strict=True)]

    def _shrunk(self, widths: list[int], texts: Sequence[Sequence[str]], most: int) -> list[int]:
        """Columns of words give way, the widest first, down to their longest word."""
        least = [max(map(len, (*_bare(" ".join(column)).split(), " "))) for column in texts]
        while sum(widths) > most:
            wide = [number for number in self._table.words if widths[number] > least[number]]
            if not wide:
                break
            widths[max(wide, key=lambda number: widths[number])] -= 1
        return widths


def _bare(text: str) -> str:
    return _CODE.sub(r"\1", text)
