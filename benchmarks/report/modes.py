"""Which modes a run has, and the text in place of a missing one."""

from collections.abc import Mapping, Sequence

from benchmarks.analysis.findings import Findings
from benchmarks.records.run import Mode
from benchmarks.report.formatting import integer
from benchmarks.report.question_groups import OfContender


def results_of(findings: Findings, mode: Mode) -> Sequence[OfContender]:
    """The findings of one mode."""
    by_mode: Mapping[Mode, Sequence[OfContender]] = {
        Mode.STEADY: findings.steady,
        Mode.SWEEP: findings.sweep,
        Mode.BURST: findings.burst,
        Mode.OVERLOAD: findings.overload,
        Mode.SOAK: findings.soak,
    }
    return by_mode[mode]


def was_run(findings: Findings, mode: Mode) -> bool:
    """Whether the mode was run, even if every trial was left out."""
    return bool(results_of(findings, mode)) or any(trial.mode is mode for trial in findings.left_out)


def missing(findings: Findings, mode: Mode) -> str:
    """Why a section has no numbers, and how to get them."""
    count = sum(1 for trial in findings.left_out if trial.mode is mode)
    if count:
        return f"All {mode.value} trials ({integer(count)}) were left out: see section 8."
    return f"Not measured in this run: use `kit bench --mode {mode.value}`."
