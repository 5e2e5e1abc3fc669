"""The contents of a report: the same sections in the same order, in every format."""

from datetime import UTC, datetime

from benchmarks.analysis.findings import Findings
from benchmarks.analysis.growth_findings import GrowthFindings
from benchmarks.report.document import Document
from benchmarks.report.formatting import integer
from benchmarks.report.sections.answer import answer, decisions
from benchmarks.report.sections.costs import costs
from benchmarks.report.sections.durability import durability
from benchmarks.report.sections.growth import growth
from benchmarks.report.sections.peaks import peaks
from benchmarks.report.sections.reading import reading
from benchmarks.report.sections.stages import stages
from benchmarks.report.sections.sweep import sweep
from benchmarks.report.sections.validity import validity

TITLE = "Which pattern for long agent jobs?"
GROWTH_TITLE = "What does growth cost?"
#: In the order in which a reader needs them: the recommendation, its cost, the evidence.
_SECTIONS = (answer, decisions, durability, stages, sweep, peaks, costs, validity, reading)


def run_document(findings: Findings) -> Document:
    """The whole report of a run, as a pure function of its findings."""
    sections = [section(findings) for section in _SECTIONS]
    if findings.growth:
        sections.insert(_SECTIONS.index(costs) + 1, growth(findings.growth))
    return Document(TITLE, _about(findings), sections)


def growth_document(findings: GrowthFindings) -> Document:
    """The report of a run of `kit bench growth`."""
    host, record = findings.record.host, findings.record
    parts = [f"{host['cores']} cores", str(host.get("processor", "")), day(record.began), record.command]
    return Document(GROWTH_TITLE, " · ".join(filter(None, parts)), [growth(findings)])


def day(moment: str) -> str:
    """An ISO 8601 time as `2026-11-25 08:11 UTC`; any other text unchanged."""
    try:
        return f"{datetime.fromisoformat(moment).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return moment


def _about(findings: Findings) -> str:
    record = findings.record
    candidates = sum(1 for contender in findings.contenders if contender.kind != "null")
    cores, processor = record.host.get("cores"), record.host.get("processor")
    parts = [
        f"{integer(candidates)} {'contender' if candidates == 1 else 'contenders'}",
        f"{integer(findings.trials)} {'trial' if findings.trials == 1 else 'trials'}",
        f"{cores} cores" if cores else "",
        str(processor or ""),
        day(record.began),
    ]
    return " · ".join(filter(None, parts))
