"""What a reader came for: the answer, and what to use for what."""

from benchmarks.analysis.findings import Findings
from benchmarks.records.run import Mode
from benchmarks.report.caveats import notices, single_round
from benchmarks.report.decisions import decision_table
from benchmarks.report.document import Block, Notice, Point, Points, Section, Text, capital, listed
from benchmarks.report.recommendations import recommendations
from benchmarks.report.wording import beside, durability, was_run

_DECISIVE = (Mode.STEADY, Mode.SWEEP, Mode.BURST, Mode.OVERLOAD)


def answer(findings: Findings) -> Section:
    """Three sentences, and before them what makes them worth less."""
    blocks: list[Block] = [Notice(text) for text in notices(findings)]
    if note := single_round(findings):
        blocks.append(Notice(note, loud=False))
    return Section("answer", "The answer", [*blocks, Points(answers(findings), answers=True)])


def answers(findings: Findings) -> list[Point]:
    """What each loses; then for each question what to use."""
    points = [Point("What a crash costs.", durability(findings))]
    for one in recommendations(findings):
        text = " ".join(filter(None, [one.text, beside(findings, one.question)]))
        points.append(Point(f"{capital(one.question.value)}.", text))
    return points


def decisions(findings: Findings) -> Section:
    """If you need …, use …, because …."""
    table = decision_table(findings)
    if not table.groups:
        return Section("decision", "What to use for what", [Text("No candidate took part in this run.")])
    note = "Each row compares only those that answer the same question. A tie means: choose by something else."
    blocks: list[Block] = [Text(note), table]
    absent = [f"`kit bench --mode {mode.value}`" for mode in Mode if mode in _DECISIVE and not was_run(findings, mode)]
    if absent:
        blocks.append(Text(f"More rows: {listed(absent)}."))
    return Section("decision", "What to use for what", blocks)
