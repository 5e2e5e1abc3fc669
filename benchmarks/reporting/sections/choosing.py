"""What a reader came for: the answer, and what to use for what."""

from benchmarks.analysis.findings import Findings
from benchmarks.reporting.decisions import decision_table
from benchmarks.reporting.page import Block, Notice, Points, Section, Text, listed
from benchmarks.reporting.sentences import answers, notices, too_short, was_run
from benchmarks.run_record import Mode

_DECISIVE = (Mode.STEADY, Mode.SWEEP, Mode.BURST, Mode.OVERLOAD)


def answer(findings: Findings) -> Section:
    """Three sentences, and before them what makes them worth less."""
    blocks: list[Block] = [Notice(text) for text in notices(findings)]
    if too_short(findings):
        blocks.append(
            Notice(
                "No difference here has an interval: a quick run shows that all works, not which is better.", loud=False
            )
        )
    return Section("answer", "The answer", [*blocks, Points(answers(findings), answers=True)])


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
