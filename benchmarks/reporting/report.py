"""What a run has shown, as a page: the same sections in the same order, whatever draws it."""

from datetime import UTC, datetime

from benchmarks.analysis.findings import Findings
from benchmarks.reporting.numbers import whole
from benchmarks.reporting.page import Page
from benchmarks.reporting.sections.choosing import answer, decisions
from benchmarks.reporting.sections.costs import costs
from benchmarks.reporting.sections.durability import durability
from benchmarks.reporting.sections.peaks import peaks
from benchmarks.reporting.sections.reading import reading
from benchmarks.reporting.sections.stages import stages
from benchmarks.reporting.sections.sweep import sweep
from benchmarks.reporting.sections.validity import validity

TITLE = "Which pattern for long agent jobs?"
#: In the order of what a reader needs: what to do, what it may cost, how that is known.
_SECTIONS = (answer, decisions, durability, stages, sweep, peaks, costs, validity, reading)


def page(findings: Findings) -> Page:
    """The whole report. A pure function: nothing is measured, and nothing is looked up."""
    return Page(TITLE, _about(findings), [section(findings) for section in _SECTIONS])


def _about(findings: Findings) -> str:
    record = findings.record
    candidates = sum(1 for one in findings.contenders if one.kind != "null")
    cores, processor = record.host.get("cores"), record.host.get("processor")
    parts = [
        f"{whole(candidates)} {'contender' if candidates == 1 else 'contenders'}",
        f"{whole(findings.trials)} {'trial' if findings.trials == 1 else 'trials'}",
        f"{cores} cores" if cores else "",
        str(processor or ""),
        _day(record.began),
    ]
    return " · ".join(filter(None, parts))


def _day(moment: str) -> str:
    try:
        return f"{datetime.fromisoformat(moment).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return moment
