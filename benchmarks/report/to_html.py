"""The report as one HTML file that opens anywhere, also without a network: style, script and Plotly lie within it."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any, assert_never

from plotly.offline import get_plotlyjs

from benchmarks.analysis.findings import Findings
from benchmarks.report.contents import page
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

#: Nothing is fetched, whatever a later change of the page asks for: the browser refuses it.
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
_CODE = re.compile("`([^`]+)`")
#: The space before a unit: a line is not broken there.
_UNIT = re.compile(r"(\d) (?=(?:ms|s|%|B|kB|MB|GB)\b|%)")


def html_report(findings: Findings) -> str:
    """The whole file."""
    return html_document(page(findings))


def html_document(found: Document) -> str:
    """A page as a file."""
    here = files("benchmarks.report")
    style, script = (here.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "plots.js"))
    links = "".join(f'<li><a href="#{one.key}">{escape(one.title)}</a></li>' for one in found.sections)
    sections = "\n".join(_section(number, one) for number, one in enumerate(found.sections, start=1))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(found.title)}</title>
<style>
{style}</style>
</head>
<body>
<header>
<h1>{escape(found.title)}</h1>
<p class="about">{escape(found.about)}</p>
<nav aria-label="Sections"><ol>{links}</ol></nav>
</header>
<main>
{sections}
</main>
<noscript><p class="notice">The plots need JavaScript; their numbers are in the tables beneath them.</p></noscript>
<script>{get_plotlyjs()}</script>
<script>
{script}</script>
</body>
</html>
"""


def inline(text: str) -> str:
    """A text with its words of code, safe within an element."""
    return _UNIT.sub("\\1\u00a0", _CODE.sub(r"<code>\1</code>", escape(text)))


def _section(number: int, found: Section) -> str:
    blocks = "\n".join(_block(block) for block in found.blocks)
    return (
        f'<section id="{found.key}" aria-labelledby="{found.key}-title">\n'
        f'<h2 id="{found.key}-title"><span class="number">{number}</span> {escape(found.title)}</h2>\n'
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


def _plots(found: Plots) -> str:
    plots = "\n".join(map(_plot, found.plots))
    numbers = _folded(
        "The numbers of this plot" if len(found.plots) == 1 else "The numbers of these plots", found.tables
    )
    size = "small" if found.small else "wide"
    note = f'<p class="note">{inline(found.note)}</p>\n' if found.note else ""
    return f'<h3>{inline(found.heading)}</h3>\n{note}<div class="plots {size}">\n{plots}\n</div>\n{numbers}'


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
    # A box of its own to scroll in: so a wide table never makes the page wide. It can be reached by keyboard.
    return (
        f'<div class="box{" sentences" if table.sentences else ""}" tabindex="0" role="group" '
        f'aria-label="{escape(table.caption)}"><table>\n'
        f"<caption>{inline(table.caption)}</caption>\n<thead><tr>{heads}</tr></thead>\n{bodies}\n</table></div>"
    )


def _rows(found: Rows, table: Table) -> str:
    heading = ""
    if found.heading:
        cell = f'<th scope="rowgroup" colspan="{len(table.columns)}"><span>{inline(found.heading)}</span></th>'
        heading = f'<tr class="group">{cell}</tr>\n'
    rows = "\n".join(f"<tr>{''.join(_cell(n, cell, table) for n, cell in enumerate(row))}</tr>" for row in found.rows)
    return f"<tbody>{heading}{rows}</tbody>"


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
    """JSON that cannot end the script element in which it stands. What is not a number is left out of a plot."""
    return json.dumps(_finite(value), separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
