"""How busy the machine was with other programs during a run."""

from collections.abc import Sequence

from benchmarks.analysis.findings import MachineLoad, Steady
from benchmarks.analysis.measures import Measure
from benchmarks.records.run import MachineUse, RunRecord, Trial


def machine_load(record: RunRecord, trials: Sequence[Trial], steady: Sequence[Steady]) -> MachineLoad:
    """What other programs used during these trials, and the submit latency of the null contender."""
    uses = [(trial.contender, trial.machine) for trial in trials if trial.machine and trial.machine.wall_seconds > 0]
    wall = sum(use.wall_seconds for _, use in uses)
    worst, during = max(((_others(use), name) for name, use in uses), default=(0.0, ""))
    nulls = {contender.name for contender in record.contenders if contender.kind == "null"}
    null = next((each for each in steady if each.contender in nulls), None)
    return MachineLoad(
        cores=uses[0][1].cores if uses else None,
        others=sum(use.other_cpu_seconds for _, use in uses) / wall if wall else 0.0,
        steal=sum(use.steal_seconds for _, use in uses) / wall if wall else 0.0,
        worst=worst,
        during=during,
        null=null.spreads.get(Measure.SUBMIT_LATENCY) if null else None,
    )


def _others(use: MachineUse) -> float:
    return (use.other_cpu_seconds + use.steal_seconds) / use.wall_seconds
