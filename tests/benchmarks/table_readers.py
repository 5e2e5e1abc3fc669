"""Reads tables back from a report, from HTML and from Markdown."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Shown:
    """One table of one question: its caption, columns and rows."""

    caption: str
    heading: str
    columns: list[str]
    rows: list[list[str]] = field(default_factory=list)

    def of(self, contender: str) -> dict[str, str]:
        """The row of a contender as a dict by column."""
        return next(dict(zip(self.columns, row, strict=True)) for row in self.rows if row[0] == contender)


class _Tables(HTMLParser):
    """Extracts the tables of a page; each question starts a new one."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[Shown] = []
        self._caption, self._columns, self._row = "", list[str](), list[str]()
        self._text: list[str] = []
        self._group = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Start a cell, a row or a table."""
        if tag in {"caption", "th", "td"}:
            self._text = []
        if tag == "table":
            self._columns = []
        if tag == "tr":
            self._row, self._group = [], ("class", "group") in attrs
        if tag == "tbody":
            self.tables.append(Shown(self._caption, "", self._columns))

    def handle_data(self, data: str) -> None:
        """Collect the text of a cell."""
        self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        """End a cell, a row or a header."""
        text = "".join(self._text).replace("\u00a0", " ").strip()
        if tag == "caption":
            self._caption = text
        if tag in {"th", "td"}:
            self._row.append(text)
        if tag == "thead":
            self._columns = self._row
        if tag == "tr" and self.tables and self.tables[-1].columns is self._columns and self._columns:
            if self._group:
                self.tables[-1].heading = self._row[0]
            else:
                self.tables[-1].rows.append(self._row)


def tables_of_html(text: str) -> list[Shown]:
    """All tables of an HTML report, in order."""
    reader = _Tables()
    reader.feed(text)
    return reader.tables


def tables_of_markdown(text: str) -> list[Shown]:
    """All tables of a Markdown report, in order."""
    tables: list[Shown] = []
    caption = heading = ""
    before = ""
    for line in text.splitlines():
        if line.startswith("**") and line.endswith("**"):
            caption, heading = _plain(line), ""
        elif line.startswith("<details><summary>"):
            caption, heading = _plain(re.sub("<.*?>", "", line)), ""
        elif re.fullmatch(r"\*[^*].*\*", line):
            heading = _plain(line)
        elif line.startswith("|"):
            cells = [_plain(cell) for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if not before.startswith("|"):
                tables.append(Shown(caption, heading, cells))
            elif set(line) - set("| -:"):
                tables[-1].rows.append(cells)
        before = line
    return tables


def _plain(text: str) -> str:
    parts = re.split("`([^`]*)`", text.strip())
    return "".join(
        part.replace("\\|", "|") if number % 2 else re.sub(r"\\(.)", r"\1", re.sub(r"(?<!\\)\*", "", part))
        for number, part in enumerate(parts)
    ).strip()


def number(text: str) -> float:
    """`4.4 ms (4.2-4.6)` in seconds, `61 MB` in bytes, `12 %` as a share: parsed independently of `formatting`."""
    scales = {"ms": 1e-3, "s": 1, "B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "%": 1e-2, "/s": 1, "": 1}
    match = re.match(r"([\u2212]?[\d,]*\.?\d+)\s*(ms|s|B|kB|MB|GB|%|/s|)(?=\s|\)|$|\u2013)", text)
    assert match, f"no number: {text!r}"
    return float(match[1].replace(",", "").replace("\u2212", "-")) * scales[match[2]]


def interval(text: str) -> tuple[float, float]:
    """The interval of `4.4 ms (4.2-4.6)`, in seconds."""
    match = re.fullmatch(r"\S+ (ms|s) \((\S+?)(?:\u2013| to )(\S+)\)", text)
    assert match, f"no interval: {text!r}"
    scale = {"ms": 1e-3, "s": 1.0}[match[1]]
    low, high = (scale * float(end.replace("\u2212", "-").replace(",", "")) for end in match.group(2, 3))
    return low, high
