"""The answer, and the decision table."""

from collections.abc import Sequence

from benchmarks.analysis.findings import Findings
from benchmarks.analysis.measures import Measure
from benchmarks.records.run import ContenderRecord, Mode
from benchmarks.report.caveats import notices, single_round
from benchmarks.report.decisions import decision_table
from benchmarks.report.document import Block, Notice, Point, Points, Section, Text, capitalized, code, listed
from benchmarks.report.modes import was_run
from benchmarks.report.question_groups import of_question
from benchmarks.report.ranking import rank
from benchmarks.report.ranking_text import end_to_end_in_words
from benchmarks.report.recommendations import recommendations
from benchmarks.report.soundness import failures_in_words, sound
from patterns.contract.descriptor import Fault, Question

_DECISIVE = (Mode.STEADY, Mode.SWEEP, Mode.BURST, Mode.OVERLOAD)
_WEB_FAULTS = (Fault.WEB_KILL, Fault.WEB_STOP)
_DECISIONS = "Which pattern for which need"


def answer(findings: Findings) -> Section:
    """The caveats, then three points."""
    blocks: list[Block] = [Notice(text) for text in notices(findings)]
    if note := single_round(findings):
        blocks.append(Notice(note, loud=False))
    return Section("answer", "The answer", [*blocks, Points(answers(findings), answers=True)])


def answers(findings: Findings) -> list[Point]:
    """What a crash loses; then the recommendation for each question."""
    points = [Point("What a crash costs.", _crash_costs(findings))]
    for recommendation in recommendations(findings):
        text = " ".join(filter(None, [recommendation.text, _end_to_end(findings, recommendation.question)]))
        points.append(Point(f"{capitalized(recommendation.question.value)}.", text))
    return points


def decisions(findings: Findings) -> Section:
    """If you need …, use …, because …."""
    table = decision_table(findings)
    if not table.groups:
        return Section("decision", _DECISIONS, [Text("No candidate took part in this run.")])
    note = (
        "Each row compares only contenders that answer the same question. If they are tied, choose by other criteria."
    )
    blocks: list[Block] = [Text(note), table]
    absent = [f"`kit bench --mode {mode.value}`" for mode in Mode if mode in _DECISIVE and not was_run(findings, mode)]
    if absent:
        blocks.append(Text(f"For more rows, run {listed(absent)}."))
    return Section("decision", _DECISIONS, blocks)


def _crash_costs(findings: Findings) -> str:
    """Which contenders keep accepted tasks when the web process dies, and whether this run measured it."""
    candidates = [contender for contender in findings.contenders if contender.kind != "null"]
    keeping = [contender for contender in candidates if not set(contender.loses_on) & set(_WEB_FAULTS)]
    how = _how_known(findings)
    if not candidates:
        return "No candidate took part in this run."
    if not keeping:
        who = code(candidates[0].name) if len(candidates) == 1 else "every contender"
        return f"If the web process is killed or stopped, {who} loses accepted tasks ({how})."
    verb = "keeps" if len(keeping) == 1 else "keep"
    parts = [f"{_names(keeping)} {verb} accepted tasks when the web process is killed or stopped"]
    if len(keeping) < len(candidates):
        parts.append("the others lose them")
    for faults in dict.fromkeys(contender.loses_on for contender in keeping if contender.loses_on):
        losing = [contender for contender in keeping if contender.loses_on == faults]
        verb = "loses" if len(losing) == 1 else "lose"
        parts.append(f"{_names(losing)} {verb} them only on {listed([code(fault) for fault in faults])}")
    return f"{'; '.join(parts)} ({how})."


def _how_known(findings: Findings) -> str:
    measured = {(trial.contender, trial.fault) for trial in findings.faults if not trial.trouble}
    claimed = {
        (contender.name, fault.value)
        for contender in findings.contenders
        if contender.kind in {"pattern", "contender"}
        for fault in (*_WEB_FAULTS, *map(Fault, contender.loses_on))
    }
    return "measured here: section 3" if claimed <= measured else "declared, not measured here"


def _end_to_end(findings: Findings, question: Question) -> str:
    """How the contenders compare end to end, and which were not considered."""
    names = of_question(findings, question)
    candidates = sound(findings, names)
    unsound = [name for name in names if findings.steady_of(name) and name not in candidates]
    parts = [end_to_end_in_words(rank(findings, candidates, Measure.END_TO_END))]
    if unsound:
        parts.append(f"not considered: {listed([failures_in_words(findings, name) for name in unsound])}")
    text = "; ".join(filter(None, parts))
    return f"{capitalized(text)}." if text else ""


def _names(contenders: Sequence[ContenderRecord]) -> str:
    return listed([code(contender.name) for contender in contenders])
