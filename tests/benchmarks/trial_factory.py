"""Synthetic trials and samples with known defects."""

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.records.run import ContenderRecord, LoadReport, Mode, RunRecord, Trial
from benchmarks.records.samples import Outcome, Phase, Sample

T0 = 1_000_000.0


def sample(
    number: int, *, trial: int = 1, pattern: str = "one", at: float = 0.0, latency: float = 0.002, wait: float = 0.0,
    work: float = 0.25, lag: float = 0.05, late: float = 0.0,
    phase: Phase = Phase.MEASURED, outcome: Outcome = Outcome.COMPLETED,
) -> Sample:  # fmt: skip
    """One task, sent `late` seconds after its intended time."""
    intended = T0 + at
    sent = intended + late
    accepted = started = finished = notified = None
    ended = sent + latency
    if outcome not in {Outcome.REFUSED, Outcome.ERROR, Outcome.DROPPED}:
        accepted = sent + latency
        ended = accepted + 5.0
        if outcome is Outcome.COMPLETED:
            started = accepted + wait
            finished = started + work
            ended = notified = finished + lag
    return Sample(
        pattern=pattern, trial=trial, number=number, phase=phase, intended=intended,
        sent=None if outcome is Outcome.DROPPED else sent, accepted=accepted, started=started, finished=finished,
        notified=notified, ended=ended, task_id=f"{trial}-{number}" if accepted else "", outcome=outcome, requests=2,
    )  # fmt: skip


def rows(
    count: int = 100, *, rate: float = 10.0, make: Callable[[int], dict[str, Any]] = lambda _: {}, **every: Any
) -> list[Sample]:
    """Evenly spaced tasks; `make` gives the special fields of each."""
    return [sample(number, **{"at": number / rate, **every, **make(number)}) for number in range(count)]


def honest(samples: Sequence[Sample], **other: Any) -> LoadReport:
    """The report of a load process that agrees with the samples."""
    sent = [row for row in samples if row.sent is not None]
    seconds = sum((row.ended or 0.0) - (row.sent or 0.0) for row in sent)
    values = {
        "tasks": len(sent), "task_seconds": seconds, "wall_seconds": 10.0, "busiest_cpu_share": 0.3, "cpu_share": 0.2,
        "clock_step_seconds": 0.0, "longest_stall_seconds": 0.001,
    }  # fmt: skip
    return LoadReport(**{**values, **other})


def trial(samples: Sequence[Sample], *, mode: Mode = Mode.STEADY, **other: Any) -> Trial:
    """The trial of these samples."""
    first = samples[0]
    measured = sum(row.phase is Phase.MEASURED for row in samples)
    values = {
        "number": first.trial, "round": 1, "contender": first.pattern, "mode": mode, "rate": 10.0, "count": measured,
        "duration": measured / 10.0, "capacity": 40.0, "began": T0, "ended": T0 + 20.0, "load": honest(samples),
    }  # fmt: skip
    return Trial(**{**values, **other})


def contender(name: str, *, teaches: str = "where the work runs", kind: str = "pattern") -> ContenderRecord:
    """A contender of a run."""
    return ContenderRecord(
        name=name, title=name.title(), summary="", runs_in="", learns_by="", teaches=teaches, loses_on=(), kind=kind
    )


def record(trials: Sequence[Trial], names: Sequence[str] = ("one",), **other: Any) -> RunRecord:
    """A run of these trials; the name "null" stands for the null contender."""
    null = {"teaches": "", "kind": "null"}
    taking_part = tuple(contender(name, **(null if name == "null" else {})) for name in names)
    return RunRecord(complete=True, contenders=taking_part, trials=tuple(trials), **other)
