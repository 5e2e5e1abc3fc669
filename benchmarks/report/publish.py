"""Publishes findings: as files in the folder of a run, and on standard output."""

import json
import math
from dataclasses import asdict, replace
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.analysis.analyse_growth import analyse_growth
from benchmarks.analysis.analyse_run import analyse_run
from benchmarks.analysis.compare_runs import ChangeVerdict, RunComparison
from benchmarks.analysis.findings import Findings
from benchmarks.records.growth import GrowthFolder
from benchmarks.records.run import RunFolder
from benchmarks.report.contents import growth_document, run_document
from benchmarks.report.document import Document
from benchmarks.report.summary import print_summary
from benchmarks.report.to_html import html
from benchmarks.report.to_markdown import markdown
from benchmarks.report.to_terminal import print_document

#: The width of tables that are not printed to a terminal.
_FILE_WIDTH = 100
_STYLES = {
    ChangeVerdict.BETTER: "green",
    ChangeVerdict.WORSE: "red",
    ChangeVerdict.SAME: "dim",
    ChangeVerdict.UNKNOWN: "",
}


def write_report(folder: RunFolder) -> Findings | None:
    """Write the report of a run as files. Returns None for a folder with growth results only.

    Raises `RunError`, `SamplesError` and `OSError`.
    """
    growth = GrowthFolder(folder.path)
    if growth.record.exists() and not folder.record.exists():
        return None
    findings = analyse_run(folder)
    if growth.record.exists():
        findings = replace(findings, growth=analyse_growth(*growth.read()))
    _write(run_document(findings), folder)
    return findings


def print_findings(findings: Findings, folder: RunFolder, *, as_json: bool = False, full: bool = False) -> None:
    """Print the summary, the full report, or the findings as JSON."""
    if as_json:
        typer.echo(json.dumps(_without_infinity({**asdict(findings), "folder": str(folder.path)}), indent=2))
        return
    console = _console()
    if full:
        print_document(console, run_document(findings))
        console.print(f"Report: {folder.html}", soft_wrap=True, style="bold", markup=False)
        console.print(f"Samples, one row per task: {folder.packed_samples}", soft_wrap=True, style="dim", markup=False)
    else:
        print_summary(console, findings, folder.path, folder.html)


def publish_growth(folder: RunFolder) -> None:
    """Write and print the report of a folder with growth results only. Raises `RunError` and `OSError`."""
    document = growth_document(analyse_growth(*GrowthFolder(folder.path).read()))
    _write(document, folder)
    console = _console()
    print_document(console, document)
    console.print(f"Report: {folder.html}", soft_wrap=True, style="bold", markup=False)


def print_comparison(comparison: RunComparison, bound: float) -> str:
    """Print the changes. Returns a list in words of the metrics that got worse by more than the bound."""
    console = _console()
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("", "metric", "before", "after", "change (95 %)", ""):
        table.add_column(heading, no_wrap=True, justify="right" if heading in {"before", "after"} else "left")
    for change in comparison.changes:
        low, high = change.change.low, change.change.high
        interval = "" if low is None or high is None else f" ({low:+.0%} to {high:+.0%})"
        table.add_row(
            change.contender,
            change.metric,
            f"{1000 * change.before:.4g} ms",
            f"{1000 * change.after:.4g} ms",
            f"{change.change.value:+.0%}{interval}",
            Text(change.verdict.value, style=_STYLES[change.verdict]),
        )
    console.print(table)
    if comparison.unchecked:
        console.print(comparison.unchecked, style="yellow", markup=False)
    for difference in comparison.differ_in:
        console.print(f"The runs differ: {difference}", style="yellow", markup=False)
    return ", ".join(f"{change.metric} of {change.contender}" for change in comparison.regressions(bound))


def _write(document: Document, folder: RunFolder) -> None:
    folder.html.write_text(html(document), encoding="utf-8")
    folder.markdown.write_text(markdown(document), encoding="utf-8")


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_FILE_WIDTH)


def _without_infinity(value: Any) -> Any:
    """The value with null for infinity and NaN, which JSON cannot represent."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(name): _without_infinity(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_infinity(inner) for inner in value]
    return value
