"""Which faults lose accepted tasks: as measured, or else as the contenders declare."""

from dataclasses import replace

from benchmarks.analysis.findings import Findings
from benchmarks.records.faults import FaultTrial
from benchmarks.records.run import ContenderRecord
from benchmarks.report.crash_losses import CRASHES, crash_outcome
from benchmarks.report.document import Block, Cell, Notice, Rows, Section, Table, Text, Tone, code, plain_cells
from benchmarks.report.formatting import NOTHING, duration, integer
from benchmarks.report.question_groups import contender_rows
from patterns.contract.descriptor import Fault

#: The faults shown as declared when none was injected.
_DECLARED = tuple(CRASHES)


def durability(findings: Findings) -> Section:
    """Which faults lose accepted tasks."""
    blocks: list[Block] = [Text("Read this first: a lost task costs more than a slow one.")]
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
        "Accepted tasks after a fault",
        ("contender", *(fault.value for fault in _DECLARED)),
        contender_rows(candidates, row),
        frozenset(range(len(_DECLARED) + 1)),
    )
    return [
        table,
        Text(_meaning([fault.value for fault in _DECLARED])),
        Text(
            "Declared by the contenders. For the kit's own patterns, tests that kill real processes verify each "
            "declaration. No fault was injected in this run: use `kit bench --faults`. "
            "A dash means that the contender has no such part."
        ),
    ]


def _measured(findings: Findings) -> list[Block]:
    names = list(dict.fromkeys(cell.contender for cell in findings.faults))
    faults = list(dict.fromkeys(cell.fault for cell in findings.faults))
    order = [fault.value for fault in Fault]
    faults.sort(key=order.index)
    cells = {(cell.fault, cell.contender): cell for cell in findings.faults}
    overview = Table(
        f"Tasks without a result, of {integer(max(cell.accepted for cell in findings.faults))} accepted",
        ("fault", *names),
        [Rows("", [[Cell(code(fault)), *(_without(cells.get((fault, name))) for name in names)] for fault in faults])],
    )
    wrong = [cell for cell in findings.faults if not cell.as_claimed]
    return [
        Text(
            "Measured by fault injection. Before each fault, half of the tasks had completed and their outcomes were "
            "known. Of the other half, the workers were running as many as they can, and the rest were queued."
        ),
        overview,
        Text(_meaning(faults)),
        *[
            Notice(f"{code(cell.contender)} on {code(cell.fault)}: {_why_wrong(cell)}", loud=cell.contradicts)
            for cell in wrong
        ],
        Text(
            "A task without a result either failed, which its client can see, or was lost without notice. A dash "
            "means that the contender has no such part. Tasks that a dead worker was running run twice: the price of "
            "losing none, so make the effects of an agent idempotent."
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
            *plain_cells(integer(cell.accepted), integer(cell.completed)),
            *(_bad(cell.failed), _bad(cell.lost), Cell(integer(cell.ran_twice))),
            *deliveries,
            Cell("never", Tone.BAD) if cell.works_again is None else Cell(duration(cell.works_again)),
            Cell(NOTHING if cell.all_known_after is None else duration(cell.all_known_after)),
        ]

    columns = (
        "fault", "accepted", "completed", "failed", "lost", "ran twice", "delivered twice", "never delivered",
        "recovered after", "last outcome after",
    )  # fmt: skip
    by_name = [Rows(code(name), [row(cell) for cell in findings.faults if cell.contender == name]) for name in names]
    return Table("All counts of the fault trials", columns, by_name, folded=True)


def _without(cell: FaultTrial | None) -> Cell:
    if cell is None:
        return Cell(NOTHING, Tone.QUIET)
    if cell.trouble:
        return Cell("not measured", Tone.BAD)
    if not cell.without_result:
        return Cell("0", Tone.GOOD)
    return Cell(integer(cell.without_result), Tone.BAD)


def _why_wrong(cell: FaultTrial) -> str:
    if cell.trouble:
        return cell.trouble
    if cell.claims_loss:
        return "its descriptor declares that it may lose tasks, but none was lost here."
    return f"its descriptor declares no loss, but {integer(cell.without_result)} tasks ended without a result."


def _bad(count: int) -> Cell:
    return Cell(integer(count), Tone.BAD if count else Tone.PLAIN)


def _meaning(faults: list[str]) -> str:
    meanings: dict[str, str] = {fault.value: fault.meaning for fault in Fault}
    text = "; ".join(f"{code(fault)}: {meanings[fault]}" for fault in faults)
    return f"{text[:1].upper()}{text[1:]}."
