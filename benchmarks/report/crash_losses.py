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
    """What becomes of the accepted tasks of one contender when one part breaks."""

    can_happen: bool = True  # False: it has no such part
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


def crash_outcome(findings: Findings, name: str, fault: Fault) -> CrashOutcome:
    """As it was measured in this run; if it was not, as the contender declares it."""
    trial = next((each for each in findings.faults if (each.contender, each.fault) == (name, fault.value)), None)
    if trial and not trial.trouble:
        lost = trial.without_result
        return CrashOutcome(lost=lost > 0, measured=True, count=lost or trial.accepted)
    contender = next((each for each in findings.contenders if each.name == name), None)
    if contender is None or not can_happen(contender, fault):
        return CrashOutcome(can_happen=False)
    return CrashOutcome(lost=fault.value in contender.loses_on)


def can_happen(contender: ContenderRecord, fault: Fault) -> bool:
    """Whether a contender has the part that breaks. Older records do not list parts, only where the work runs."""
    part = fault.value.partition("_")[0]
    if contender.parts is not None:
        return part in contender.parts
    return part not in {"worker", "broker"} or contender.runs_in == RunsIn.WORKER_PROCESS.value


def losses_of(findings: Findings, name: str) -> list[Fault]:
    """The crashes of `CRASHES` that lose accepted tasks."""
    return [fault for fault in CRASHES if crash_outcome(findings, name, fault).lost]


def declared_only(findings: Findings, names: Sequence[str]) -> bool:
    """Whether what any of them outlives was declared, and not measured in this run."""
    return not all(crash_outcome(findings, name, fault).measured for name in names for fault in OUTLIVED)


def crash_table(findings: Findings) -> Table | None:
    """A row for each contender; None if there is none."""
    measured = {trial.contender for trial in findings.faults if not trial.trouble}
    names = [contender.name for contender in findings.contenders if contender.kind in {"pattern", "contender"}]
    names += [name for name in dict.fromkeys(trial.contender for trial in findings.faults) if name not in names]
    if not names:
        return None
    rows = [[Cell(code(name)), *(crash_outcome(findings, name, fault).cell for fault in CRASHES)] for name in names]
    if measured >= set(names):
        how = "measured in this run, in tasks"
    elif measured:
        how = "numbers were measured in this run, words are declared"
    elif any(contender.kind == "contender" for contender in findings.contenders):
        how = "declared by each, not measured in this run"
    else:
        how = "declared, tested in tests/faults, not in this run"
    columns = ("contender", *CRASHES.values())
    return Table(f"Accepted tasks in a crash: {how}", columns, [Rows("", rows)], frozenset(range(len(columns))))
