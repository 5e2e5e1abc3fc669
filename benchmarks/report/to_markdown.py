"""Renders a report as GitHub Markdown: for a pull request, an issue or a decision record."""

import re
from typing import assert_never

from benchmarks.report.document import Block, Document, Notice, Plots, Point, Points, Rows, Section, Table, Text

_CODE = re.compile("`([^`]+)`")
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|~#])")


def markdown(document: Document) -> str:
    """The Markdown of a report."""
    parts = [f"# {inline(document.title)}", inline(document.about)]
    for number, section in enumerate(document.sections, start=1):
        parts += _section(number, section)
    return "\n\n".join(part for part in parts if part) + "\n"


def inline(text: str) -> str:
    """A text on one line, escaped except for its code."""
    parts = _CODE.split(" ".join(text.split()))
    return "".join(f"`{part}`" if number % 2 else _SPECIAL.sub(r"\\\1", part) for number, part in enumerate(parts))


def _section(number: int, section: Section) -> list[str]:
    return [f"## {number}. {inline(section.title)}", *(_block(block) for block in section.blocks)]


def _block(block: Block) -> str:
    match block:
        case Text():
            return _lead(block) + inline(block.text)
        case Notice():
            return f"> [!{'WARNING' if block.loud else 'NOTE'}]\n> {inline(block.text)}"
        case Points():
            mark = "1." if block.answers else "-"
            return "\n".join(f"{mark} {_lead(point)}{inline(point.text)}" for point in block.items)
        case Table():
            return _table_or_details(block)
        case Plots():
            return "\n\n".join(map(_table_or_details, block.tables))
        case _:
            assert_never(block)


def _lead(block: Text | Point) -> str:
    return f"**{inline(block.lead)}** " if block.lead else ""


def _table_or_details(table: Table) -> str:
    return _folded(table) if table.folded else _table(table)


def _folded(table: Table) -> str:
    return f"<details><summary>{inline(table.caption)}</summary>\n\n{_table(table)}\n\n</details>"


def _table(table: Table) -> str:
    head = _line([inline(name) for name in table.columns])
    rule = _line(["---" if number in table.words else "---:" for number in range(len(table.columns))])
    # One table for each question, so that only comparable rows share a table.
    return "\n\n".join([f"**{inline(table.caption)}**", *(_rows(rows, head, rule) for rows in table.groups)])


def _rows(rows: Rows, head: str, rule: str) -> str:
    lines = [_line([_bold(inline(cell.text), cell.tone == "bad") for cell in row]) for row in rows.rows]
    heading = [f"*{inline(rows.heading)}*\n"] if rows.heading else []
    return "\n".join([*heading, head, rule, *lines])


def _bold(text: str, bad: bool) -> str:
    return f"**{text}**" if bad and text else text


def _line(cells: list[str]) -> str:
    # A bar ends a cell even within code; elsewhere it is already escaped.
    return "| " + " | ".join(_BAR.sub(r"\\|", cell) for cell in cells) + " |"


_BAR = re.compile(r"(?<!\\)\|")
