"""The plans of `kit bench` and `kit bench --quick`, adjusted by command-line options."""

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.plan.run_plan import USUAL_UTILISATION, RunPlan
from benchmarks.plan.workload import AgentActivity, Length, Workload
from benchmarks.records.run import Mode

#: At a higher utilisation, tasks wait longer than they run.
MOST_UTILISATION = 0.95

#: All five within a minute, one round.
QUICK = RunPlan(modes=(Mode.STEADY,), duration=3.5, rounds=1, deadline=6.0)

#: Four modes, within a quarter of an hour on two cores.
FULL = RunPlan(modes=(Mode.STEADY, Mode.SWEEP, Mode.BURST, Mode.OVERLOAD))


class PlanError(Exception):
    """A plan that would measure nothing useful. The message is one line that says what to change."""


def make_plan(
    *,
    quick: bool = False,
    modes: Sequence[Mode] = (),
    rate: float | None = None,
    duration: float | None = None,
    rounds: int | None = None,
    workers: int | None = None,
    length: Length | None = None,
    activity: AgentActivity | None = None,
    bound: float | None = None,
    arrivals: str | None = None,
    seed: int = 0,
) -> RunPlan:
    """The plan for these options. Without a rate, the workers are half busy.

    Raises `PlanError` if the rate exceeds the workers' capacity or yields no task.
    """
    base = QUICK if quick else FULL
    workload = Workload(length or base.workload.length, activity or base.workload.doing)
    slower = workload.seconds / base.workload.seconds
    plan = replace(
        base,
        seed=seed,
        workload=workload,
        modes=tuple(dict.fromkeys(modes)) or base.modes,
        workers=workers or base.workers,
        rounds=rounds or base.rounds,
        duration=duration or base.duration * max(1.0, slower / 2),
        deadline=max(base.deadline, 20 * workload.seconds),
        bound=bound or max(base.bound, 4 * workload.seconds),
        arrivals=arrivals or base.arrivals,
    )
    plan = replace(plan, rate=rate or USUAL_UTILISATION * plan.capacity)
    _check(plan)
    return plan


def _check(plan: RunPlan) -> None:
    if plan.utilisation > MOST_UTILISATION and {Mode.STEADY, Mode.SOAK} & set(plan.modes):
        most = MOST_UTILISATION * plan.capacity
        raise PlanError(
            f"--rate {plan.rate:g} is too high for {plan.workers} workers: a task takes "
            f"{plan.workload.seconds:g} s, so offer at most {most:g} per second, or increase --workers."
        )
    if Mode.STEADY in plan.modes and not round(plan.rate * plan.duration):
        raise PlanError(f"--rate {plan.rate:g} for --duration {plan.duration:g} s yields no task. Increase either.")
