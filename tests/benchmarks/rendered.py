"""Renders the report of findings in each format."""

import io
from pathlib import Path

from rich.console import Console

from benchmarks.analysis.findings import Findings
from benchmarks.report.contents import run_document
from benchmarks.report.summary import print_summary
from benchmarks.report.to_html import html
from benchmarks.report.to_markdown import markdown
from benchmarks.report.to_terminal import print_document

FOLDER = Path("runs/2026-11-30T12-00-00Z")
PAGE = FOLDER / "report.html"


def html_report(findings: Findings) -> str:
    """The HTML report."""
    return html(run_document(findings))


def markdown_report(findings: Findings) -> str:
    """The Markdown report."""
    return markdown(run_document(findings))


def terminal_report(findings: Findings, width: int = 80) -> str:
    """The full report in a terminal of this width."""
    text = io.StringIO()
    print_document(Console(file=text, width=width, highlight=False), run_document(findings))
    return text.getvalue()


def summary(findings: Findings, width: int = 200) -> list[str]:
    """The lines of the final screen in a terminal of this width."""
    text = io.StringIO()
    print_summary(Console(file=text, width=width, highlight=False), findings, FOLDER, PAGE)
    return text.getvalue().splitlines()
