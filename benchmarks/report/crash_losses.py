"""What a crash costs each contender: as this run has measured it, or else as its descriptor declares it."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.analysis.findings import Findings
from benchmarks.records.run import ContenderRecord
from benchmarks.report.document import Cell, Rows, Table, Tone, code
from benchmarks.report.formatting import NOTHING, whole
from patterns.contract.descriptor import Fault, RunsIn

#: What decides whether an accepted task outlives the web process.
OUTLIVED = (Fault.WEB_KILL, Fault.WEB_STOP)
#: The crashes that everybody asks about, and how each is headed.
CRASHES = {
    Fault.WEB_KILL: "web SIGKILL",
    Fault.WEB_STOP: "web SIGTERM",
    Fault.WORKER_KILL: "worker SIGKILL",
    Fault.BROKER_LOSS: "broker loses data",
}


@dataclass(frozen=True)
class CrashOutcome:
    """What becomes of the accepted tasks of one contender when one thing breaks."""

    can_happen: bool = True  # False: it has nothing of the kind that could break
    lost: bool = False
    measured: bool = False
    count: int = 0  # of the measured tasks: those that came to no result, or all, if each did

    @property
    def keeps(self) -> bool:
        """Whether every accepted task comes to its outcome."""
        return not self.lost

    @property
    def cell(self) -> Cell:
        """In a table."""
        if not self.can_happen:
            return Cell(NOTHING, Tone.QUIET)
        word = "loses" if self.lost else "keeps"
        return Cell(f"{word} {whole(self.count)}" if self.measured else word, Tone.BAD if self.lost else Tone.GOOD)


def fate(findings: Findings, name: str, fault: Fault) -> CrashOutcome:
    """What is known of it. What was measured here counts before what is declared."""
    cell = next((one for one in findings.faults if (one.contender, one.fault) == (name, fault.value)), None)
    if cell and not cell.trouble:
        return CrashOutcome(lost=cell.without_result > 0, measured=True, count=cell.without_result or cell.accepted)
    about = next((one for one in findings.contenders if one.name == name), None)
    if about is None or not can_happen(about, fault):
        return CrashOutcome(can_happen=False)
    return CrashOutcome(lost=fault.value in about.loses_on)


def can_happen(about: ContenderRecord, fault: Fault) -> bool:
    """Whether a contender has what breaks. Older records do not say; then where its work runs does."""
    part = fault.value.partition("_")[0]
    if about.parts is not None:
        return part in about.parts
    return part not in {"worker", "broker"} or about.runs_in == RunsIn.WORKER_PROCESS.value


def losses_of(findings: Findings, name: str) -> list[Fault]:
    """The crashes of `CRASHES` that lose accepted tasks."""
    return [fault for fault in CRASHES if fate(findings, name, fault).lost]


def declared_only(findings: Findings, names: Sequence[str]) -> bool:
    """Whether this run has not put all of them to what they are to outlive."""
    return not all(fate(findings, name, fault).measured for name in names for fault in OUTLIVED)


def crash_table(findings: Findings) -> Table | None:
    """A row for each contender; none if nobody took part."""
    measured = {one.contender for one in findings.faults if not one.trouble}
    names = [one.name for one in findings.contenders if one.kind in {"pattern", "contender"}]
    names += [name for name in dict.fromkeys(one.contender for one in findings.faults) if name not in names]
    if not names:
        return None
    rows = [[Cell(code(name)), *(fate(findings, name, fault).cell for fault in CRASHES)] for name in names]
    if measured >= set(names):
        how = "measured in this run, in tasks"
    elif measured:
        how = "numbers were measured in this run, words are declared"
    elif any(one.kind == "contender" for one in findings.contenders):
        how = "declared by each, not measured in this run"
    else:
        how = "declared, tested in tests/faults, not in this run"
    columns = ("contender", *CRASHES.values())
    return Table(f"Accepted tasks in a crash: {how}", columns, [Rows("", rows)], frozenset(range(len(columns))))
