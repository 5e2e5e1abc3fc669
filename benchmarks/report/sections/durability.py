"""What loses accepted tasks: as it was measured, or else as the contenders declare it."""

from dataclasses import replace

from benchmarks.analysis.findings import Findings
from benchmarks.records.faults import FaultTrial
from benchmarks.records.run import ContenderRecord
from benchmarks.report.crash_losses import CRASHES, crash_outcome
from benchmarks.report.document import Block, Cell, Notice, Rows, Section, Table, Text, Tone, code, plain_cells
from benchmarks.report.formatting import NOTHING, duration, whole
from benchmarks.report.question_groups import contender_rows
from patterns.contract.descriptor import Fault

#: Those of which a descriptor's word is given when nothing was broken.
_DECLARED = tuple(CRASHES)


def durability(findings: Findings) -> Section:
    """What loses accepted tasks."""
    blocks: list[Block] = [Text("Look here first: a lost task costs more than a slow one.")]
    blocks += _measured(findings) if findings.faults else _declared(findings)
    return Section("durability", "Durability before speed", blocks)


def _declared(findings: Findings) -> list[Block]:
    candidates = replace(findings, contenders=tuple(each for each in findings.contenders if each.kind != "null"))

    def row(contender: ContenderRecord) -> list[Cell]:
        return [
            Cell(code(contender.name)),
            *(crash_outcome(findings, contender.name, fault).cell for fault in _DECLARED),
        ]

    table = Table(
        "Accepted tasks, when something breaks",
        ("contender", *(fault.value for fault in _DECLARED)),
        contender_rows(candidates, row),
        frozenset(range(len(_DECLARED) + 1)),
    )
    return [
        table,
        Text(_meaning([fault.value for fault in _DECLARED])),
        Text(
            "These are the contenders' own declarations. For the kit's patterns, tests that kill the real "
            "processes hold each to its word. This run broke nothing: `kit bench --faults` does. "
            "A dash: the contender has nothing of the kind that could break."
        ),
    ]


def _measured(findings: Findings) -> list[Block]:
    names = list(dict.fromkeys(cell.contender for cell in findings.faults))
    faults = list(dict.fromkeys(cell.fault for cell in findings.faults))
    order = [fault.value for fault in Fault]
    faults.sort(key=order.index)
    cells = {(cell.fault, cell.contender): cell for cell in findings.faults}
    overview = Table(
        f"Of {whole(max(cell.accepted for cell in findings.faults))} accepted tasks, so many came to no result",
        ("what broke", *names),
        [Rows("", [[Cell(code(fault)), *(_without(cells.get((fault, name))) for name in names)] for fault in faults])],
    )
    wrong = [cell for cell in findings.faults if not cell.as_claimed]
    return [
        Text(
            "Measured: in each case half of the tasks were done and known before the break; of the other half the "
            "workers held as many as they can, and the rest waited."
        ),
        overview,
        Text(_meaning(faults)),
        *[
            Notice(f"{code(cell.contender)} on {code(cell.fault)}: {_why_wrong(cell)}", loud=cell.contradicts)
            for cell in wrong
        ],
        Text(
            "Without a result: it ended as failed, which its client was told, or was lost without notice. A dash: "
            "the contender has nothing of the kind that could break. Ran twice, in the counts of each case, is the "
            "price of losing nothing: what a dead worker had in hand is done again, so an agent's effects should be "
            "repeatable."
        ),
        _details(findings, names),
    ]


def _details(findings: Findings, names: list[str]) -> Table:
    def row(cell: FaultTrial) -> list[Cell]:
        if cell.trouble:
            return [Cell(code(cell.fault)), *plain_cells(*[NOTHING] * 9)]
        deliveries = (
            [_bad(cell.delivered_twice), _bad(cell.never_delivered)]
            if cell.calls_back
            else list(plain_cells(*[NOTHING] * 2))
        )
        return [
            Cell(code(cell.fault)),
            *plain_cells(whole(cell.accepted), whole(cell.completed)),
            *(_bad(cell.failed), _bad(cell.lost), Cell(whole(cell.ran_twice))),
            *deliveries,
            Cell("never", Tone.BAD) if cell.works_again is None else Cell(duration(cell.works_again)),
            Cell(NOTHING if cell.all_known_after is None else duration(cell.all_known_after)),
        ]

    columns = (
        "what broke", "accepted", "completed", "failed", "lost", "ran twice", "delivered twice", "never delivered",
        "works again after", "all known after",
    )  # fmt: skip
    by_name = [Rows(code(name), [row(cell) for cell in findings.faults if cell.contender == name]) for name in names]
    return Table("Every count of the fault runs", columns, by_name, folded=True)


def _without(cell: FaultTrial | None) -> Cell:
    if cell is None:
        return Cell(NOTHING, Tone.QUIET)
    if cell.trouble:
        return Cell("not measured", Tone.BAD)
    if not cell.without_result:
        return Cell("0", Tone.GOOD)
    return Cell(whole(cell.without_result), Tone.BAD)


def _why_wrong(cell: FaultTrial) -> str:
    if cell.trouble:
        return cell.trouble
    if cell.claims_loss:
        return "its descriptor says that it may lose tasks, and here it lost none."
    return f"its descriptor says that it loses none, and {whole(cell.without_result)} came to no result."


def _bad(count: int) -> Cell:
    return Cell(whole(count), Tone.BAD if count else Tone.PLAIN)


def _meaning(faults: list[str]) -> str:
    meanings: dict[str, str] = {fault.value: fault.meaning for fault in Fault}
    text = "; ".join(f"{code(fault)}: {meanings[fault]}" for fault in faults)
    return f"{text[:1].upper()}{text[1:]}."
