"""Renders a report as one HTML file that needs no network: styles, script and Plotly are inlined."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any, assert_never

from plotly.offline import get_plotlyjs

from benchmarks.report.document import (
    Block,
    Cell,
    Document,
    Notice,
    Plot,
    Plots,
    Point,
    Points,
    Rows,
    Section,
    Table,
    Text,
)

#: The browser refuses every request, whatever a later change of the page may add.
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
_CODE = re.compile("`([^`]+)`")
#: The space before a unit, which becomes a non-breaking one.
_UNIT = re.compile(r"(\d) (?=(?:ms|s|%|B|kB|MB|GB)\b|%)")


def html(document: Document) -> str:
    """The HTML of a report."""
    here = files("benchmarks.report")
    style, script = (here.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "plots.js"))
    links = "".join(f'<li><a href="#{section.key}">{escape(section.title)}</a></li>' for section in document.sections)
    sections = "\n".join(_section(number, section) for number, section in enumerate(document.sections, start=1))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(document.title)}</title>
<style>
{style}</style>
</head>
<body>
<header>
<h1>{escape(document.title)}</h1>
<p class="about">{escape(document.about)}</p>
<nav aria-label="Sections"><ol>{links}</ol></nav>
</header>
<main>
{sections}
</main>
<noscript><p class="notice">The plots need JavaScript; the tables below them have the same data.</p></noscript>
<script>{get_plotlyjs()}</script>
<script>
{script}</script>
</body>
</html>
"""


def inline(text: str) -> str:
    """A text, escaped, with its code marked up."""
    return _UNIT.sub("\\1\u00a0", _CODE.sub(r"<code>\1</code>", escape(text)))


def _section(number: int, section: Section) -> str:
    blocks = "\n".join(_block(block) for block in section.blocks)
    return (
        f'<section id="{section.key}" aria-labelledby="{section.key}-title">\n'
        f'<h2 id="{section.key}-title"><span class="number">{number}</span> {escape(section.title)}</h2>\n'
        f"{blocks}\n</section>"
    )


def _block(block: Block) -> str:
    match block:
        case Text():
            return f"<p>{_lead(block)}{inline(block.text)}</p>"
        case Notice():
            return f'<p class="notice{" loud" if block.loud else ""}" role="note">{inline(block.text)}</p>'
        case Points():
            tag, name = ("ol", "answers") if block.answers else ("ul", "points")
            return f'<{tag} class="{name}">{"".join(map(_point, block.items))}</{tag}>'
        case Table():
            return _folded(block.caption, [block]) if block.folded else _table(block)
        case Plots():
            return _plots(block)
        case _:
            assert_never(block)


def _plots(block: Plots) -> str:
    plots = "\n".join(map(_plot, block.plots))
    data = _folded("The data of this plot" if len(block.plots) == 1 else "The data of these plots", block.tables)
    size = "small" if block.small else "wide"
    note = f'<p class="note">{inline(block.note)}</p>\n' if block.note else ""
    return f'<h3>{inline(block.heading)}</h3>\n{note}<div class="plots {size}">\n{plots}\n</div>\n{data}'


def _point(point: Point) -> str:
    return f"<li>{_lead(point)}{inline(point.text)}</li>"


def _lead(block: Text | Point) -> str:
    return f"<strong>{inline(block.lead)}</strong> " if block.lead else ""


def _folded(title: str, tables: Sequence[Table]) -> str:
    inside = "\n".join(map(_table, tables))
    return f"<details><summary>{inline(title)}</summary>\n{inside}\n</details>"


def _table(table: Table) -> str:
    heads = "".join(
        f'<th scope="col"{_side(number, table)}>{inline(name)}</th>' for number, name in enumerate(table.columns)
    )
    bodies = "\n".join(_rows(rows, table) for rows in table.groups)
    # Each table scrolls in its own box, so that a wide one does not widen the page. The box is reachable by keyboard.
    return (
        f'<div class="box{" sentences" if table.sentences else ""}" tabindex="0" role="group" '
        f'aria-label="{escape(table.caption)}"><table>\n'
        f"<caption>{inline(table.caption)}</caption>\n<thead><tr>{heads}</tr></thead>\n{bodies}\n</table></div>"
    )


def _rows(rows: Rows, table: Table) -> str:
    heading = ""
    if rows.heading:
        cell = f'<th scope="rowgroup" colspan="{len(table.columns)}"><span>{inline(rows.heading)}</span></th>'
        heading = f'<tr class="group">{cell}</tr>\n'
    lines = "\n".join(f"<tr>{''.join(_cell(n, cell, table) for n, cell in enumerate(row))}</tr>" for row in rows.rows)
    return f"<tbody>{heading}{lines}</tbody>"


def _cell(number: int, cell: Cell, table: Table) -> str:
    tone = "" if cell.tone == "plain" else f' data-tone="{cell.tone}"'
    if number == 0:
        return f'<th scope="row"{_side(number, table)}{tone}>{inline(cell.text)}</th>'
    return f"<td{_side(number, table)}{tone}>{inline(cell.text)}</td>"


def _side(number: int, table: Table) -> str:
    return ' class="words"' if number in table.words else ""


def _plot(plot: Plot) -> str:
    spec = _json({"data": plot.data, "layout": plot.layout})
    return (
        f'<figure><figcaption>{escape(plot.title)}</figcaption><div class="plot" role="img" '
        f'aria-label="{escape(plot.alternative)}" style="height:{plot.height}px"></div>'
        f'<script type="application/json">{spec}</script></figure>'
    )


def _json(value: Mapping[str, Any]) -> str:
    """JSON that cannot end its own script element. Infinity and NaN become null, which Plotly does not draw."""
    return json.dumps(_finite(value), separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
