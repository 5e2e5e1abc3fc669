"""Tells what a run has shown: in the terminal, and as files in its folder."""

import json
import math
from dataclasses import asdict, replace
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.analysis.analyse_growth import analyse_growth
from benchmarks.analysis.analyse_run import analyse
from benchmarks.analysis.compare_runs import ChangeVerdict, RunComparison
from benchmarks.analysis.findings import Findings
from benchmarks.records.growth import GrowthFolder
from benchmarks.records.run import RunFolder
from benchmarks.report.contents import growth_document
from benchmarks.report.summary import print_screen
from benchmarks.report.to_html import html_document, html_report
from benchmarks.report.to_markdown import markdown_document, markdown_report
from benchmarks.report.to_terminal import print_document, print_report

#: A table that is written to a file need not fit a terminal.
_FILE_WIDTH = 100
_STYLES = {
    ChangeVerdict.BETTER: "green",
    ChangeVerdict.WORSE: "red",
    ChangeVerdict.SAME: "dim",
    ChangeVerdict.UNKNOWN: "",
}


def tell(folder: RunFolder) -> None:
    """Write the reports of a folder, and print the answer. Raises `RunError`, `SamplesError` and `OSError`."""
    if found := make_report(folder):
        show(found, folder)
    else:
        show_growth(folder)


def make_report(folder: RunFolder) -> Findings | None:
    """Write the reports, as files; None for a folder that has growth results alone.

    Raises `RunError`, `SamplesError` and `OSError`.
    """
    grown = GrowthFolder(folder.path)
    if grown.record.exists() and not folder.record.exists():
        return None
    findings = analyse(folder)
    if grown.record.exists():
        findings = replace(findings, growth=analyse_growth(*grown.read()))
    folder.html.write_text(html_report(findings), encoding="utf-8")
    folder.markdown.write_text(markdown_report(findings), encoding="utf-8")
    return findings


def show(findings: Findings, folder: RunFolder, *, as_json: bool = False, full: bool = False) -> None:
    """Print the answer on one screen; or all of the report, or all findings as JSON."""
    if as_json:
        typer.echo(json.dumps(_plain({**asdict(findings), "folder": str(folder.path)}), indent=2))
        return
    if full:
        console = _console()
        print_report(console, findings)
        console.print(f"The page to show: {folder.html}", soft_wrap=True, style="bold", markup=False)
        console.print(f"Every task is a row in {folder.packed_samples}", soft_wrap=True, style="dim", markup=False)
    else:
        print_screen(_console(), findings, folder.path, folder.html)


def show_changes(found: RunComparison, bound: float) -> str:
    """Print what changed, and return in words what got worse by more than the bound."""
    console = _console()
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("", "figure", "before", "after", "change (95 %)", ""):
        table.add_column(heading, no_wrap=True, justify="right" if heading in {"before", "after"} else "left")
    for one in found.changes:
        low, high = one.change.low, one.change.high
        between = "" if low is None or high is None else f" ({low:+.0%} to {high:+.0%})"
        table.add_row(
            one.contender,
            one.figure,
            f"{1000 * one.before:.4g} ms",
            f"{1000 * one.after:.4g} ms",
            f"{one.change.value:+.0%}{between}",
            Text(one.verdict.value, style=_STYLES[one.verdict]),
        )
    console.print(table)
    if found.unchecked:
        console.print(found.unchecked, style="yellow", markup=False)
    for difference in found.differ_in:
        console.print(f"The runs differ in {difference}", style="yellow", markup=False)
    return ", ".join(f"{one.figure} of {one.contender}" for one in found.regressions(bound))


def show_growth(folder: RunFolder) -> None:
    """Write and print the report of a folder that has growth results alone."""
    page = growth_document(analyse_growth(*GrowthFolder(folder.path).read()))
    folder.html.write_text(html_document(page), encoding="utf-8")
    folder.markdown.write_text(markdown_document(page), encoding="utf-8")
    console = _console()
    print_document(console, page)
    console.print(f"The page to show: {folder.html}", soft_wrap=True, style="bold", markup=False)


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_FILE_WIDTH)


def _plain(value: Any) -> Any:
    """What JSON can hold: it has no infinity."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
