"""The accepted tasks that each contender loses in a crash: as measured in this run, or else as declared."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.analysis.findings import Findings
from benchmarks.records.run import ContenderRecord
from benchmarks.report.document import Cell, Rows, Table, Tone, code
from benchmarks.report.formatting import NOTHING, integer
from patterns.contract.descriptor import Fault, RunsIn

#: The faults that decide whether accepted tasks survive a crash of the web process.
OUTLIVED = (Fault.WEB_KILL, Fault.WEB_STOP)
#: The crashes shown in the summary, with their column headings.
CRASHES = {
    Fault.WEB_KILL: "web SIGKILL",
    Fault.WEB_STOP: "web SIGTERM",
    Fault.WORKER_KILL: "worker SIGKILL",
    Fault.BROKER_LOSS: "broker loses data",
}


@dataclass(frozen=True)
class CrashOutcome:
    """Whether one contender loses accepted tasks to one fault."""

    can_happen: bool = True  # False: it has no such part
    lost: bool = False
    measured: bool = False
    count: int = 0  # if measured: the tasks without a result, or all tasks if none was lost

    @property
    def keeps(self) -> bool:
        """Whether every accepted task reaches its outcome."""
        return not self.lost

    @property
    def cell(self) -> Cell:
        """The table cell."""
        if not self.can_happen:
            return Cell(NOTHING, Tone.QUIET)
        word = "lost" if self.lost else "kept"
        return Cell(f"{integer(self.count)} {word}" if self.measured else word, Tone.BAD if self.lost else Tone.GOOD)


def crash_outcome(findings: Findings, name: str, fault: Fault) -> CrashOutcome:
    """As measured in this run, or else as the contender declares it."""
    trial = next((each for each in findings.faults if (each.contender, each.fault) == (name, fault.value)), None)
    if trial and not trial.trouble:
        lost = trial.without_result
        return CrashOutcome(lost=lost > 0, measured=True, count=lost or trial.accepted)
    contender = next((each for each in findings.contenders if each.name == name), None)
    if contender is None or not can_happen(contender, fault):
        return CrashOutcome(can_happen=False)
    return CrashOutcome(lost=fault.value in contender.loses_on)


def can_happen(contender: ContenderRecord, fault: Fault) -> bool:
    """Whether a contender has the part that breaks. Older records list no parts, only where the work runs."""
    part = fault.value.partition("_")[0]
    if contender.parts is not None:
        return part in contender.parts
    return part not in {"worker", "broker"} or contender.runs_in == RunsIn.WORKER_PROCESS.value


def losses_of(findings: Findings, name: str) -> list[Fault]:
    """The faults in `CRASHES` that lose accepted tasks."""
    return [fault for fault in CRASHES if crash_outcome(findings, name, fault).lost]


def declared_only(findings: Findings, names: Sequence[str]) -> bool:
    """Whether the survival of any of them was declared, not measured in this run."""
    return not all(crash_outcome(findings, name, fault).measured for name in names for fault in OUTLIVED)


def crash_table(findings: Findings) -> Table | None:
    """A row for each contender; None without contenders."""
    measured = {trial.contender for trial in findings.faults if not trial.trouble}
    names = [contender.name for contender in findings.contenders if contender.kind in {"pattern", "contender"}]
    names += [name for name in dict.fromkeys(trial.contender for trial in findings.faults) if name not in names]
    if not names:
        return None
    rows = [[Cell(code(name)), *(crash_outcome(findings, name, fault).cell for fault in CRASHES)] for name in names]
    if measured >= set(names):
        how = "measured in this run"
    elif measured:
        how = "with a number: measured in this run; others: declared"
    elif any(contender.kind == "contender" for contender in findings.contenders):
        how = "declared, not measured in this run"
    else:
        how = "declared; verified by tests/faults, not here"
    columns = ("contender", *CRASHES.values())
    return Table(f"Accepted tasks after a crash ({how})", columns, [Rows("", rows)], frozenset(range(len(columns))))
