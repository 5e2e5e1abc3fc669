"""What a reader came for: the answer, what to use for what, and what each loses."""

from benchmarks.analysis.findings import Findings
from benchmarks.reporting.decisions import decision_table
from benchmarks.reporting.groups import rows
from benchmarks.reporting.page import Block, Cell, Notice, Points, Section, Table, Text, Tone, code, listed
from benchmarks.reporting.sections.named import Named
from benchmarks.reporting.sentences import answers, notices, too_short, was_run
from benchmarks.run_record import Mode
from patterns.descriptor import Fault

_DECISIVE = (Mode.STEADY, Mode.SWEEP, Mode.BURST, Mode.OVERLOAD)

_FAULTS = {
    Fault.WEB_KILL: "the web process is killed (SIGKILL)",
    Fault.WEB_STOP: "the web process is stopped (SIGTERM), and the work outlasts the time of grace",
    Fault.WORKER_KILL: "a worker process is killed (SIGKILL)",
    Fault.BROKER_LOSS: "the broker comes back without its data",
}


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


def durability(findings: Findings) -> Section:
    """What loses accepted tasks."""

    def row(named: Named) -> list[Cell]:
        return [Cell(code(named.contender)), *(_fate(fault in named.about.loses_on) for fault in Fault)]

    named = [Named(one.name, one) for one in findings.contenders if one.kind != "null"]
    table = Table(
        "Accepted tasks, when something breaks",
        ("contender", *(fault.value for fault in Fault)),
        rows(
            findings, named, lambda n: [Cell(code(n.contender)), *(_fate(fault in n.about.loses_on) for fault in Fault)]
        ),
        frozenset(range(len(Fault) + 1)),
    )
    meaning = "; ".join(f"{code(fault.value)}: {text}" for fault, text in _FAULTS.items())
    return Section(
        "durability",
        "Durability before speed",
        [
            Text("Look here first: a lost task costs more than a slow one."),
            table,
            Text(f"{meaning[:1].upper()}{meaning[1:]}."),
            Text(
                "These are the contenders' own declarations. For the kit's patterns, tests that kill the real "
                "processes hold each to its word. This run killed nothing. "
                "Who has no worker or broker has none to lose."
            ),
        ],
    )


def _fate(lost: bool) -> Cell:
    return Cell("loses", Tone.BAD) if lost else Cell("keeps", Tone.GOOD)
