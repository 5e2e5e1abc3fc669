"""Findings of complete runs: with every mode, with few tasks, with losses, on a busy machine, with and without ties."""

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.analysis.findings import Findings, Instrument, LeftOut, MachineLoad
from benchmarks.records.run import ContenderRecord, Mode
from tests.benchmarks.findings_factory import (
    COUNT,
    NULL,
    OUTSIDER,
    PATTERN_CONTENDERS,
    RECORD,
    WELL,
    burst,
    differences,
    overload,
    pattern,
    soak,
    spread,
    steady,
    sweep,
    trials,
)


def full(contenders: Sequence[ContenderRecord] = (*PATTERN_CONTENDERS, OUTSIDER, NULL)) -> Findings:
    """Every mode; the five patterns, an external contender, and the null contender."""
    names = [contender.name for contender in contenders]
    steadies = tuple(steady(name, number) for number, name in enumerate(names))
    real = [name for name in names if name != "null"]
    left = LeftOut(7, real[0], Mode.STEADY, ("the load process was late (p99 81 ms)", "a stall of 0.4 s"))
    return Findings(
        record=replace(RECORD, contenders=tuple(contenders), trials=tuple(trials(names))),
        contenders=tuple(contenders),
        steady=steadies,
        differences=differences(steadies),
        sweep=tuple(sweep(name, number) for number, name in enumerate(real)),
        burst=tuple(burst(name, number) for number, name in enumerate(real)),
        overload=tuple(overload(name, number) for number, name in enumerate(real)),
        soak=tuple(soak(name, number) for number, name in enumerate(real)),
        left_out=(left,),
        instrument=tuple(
            Instrument(name, 0.0031 + 0.0004 * n, 0.37 + 0.02 * n, COUNT, 0) for n, name in enumerate(names)
        ),
        trials=29,
        warnings=(),
    )


def quick() -> Findings:
    """The five patterns in one round at one rate: differences have no interval."""
    contenders = PATTERN_CONTENDERS
    tally = replace(WELL, offered=98, accepted=98, completed=98)
    steadies = tuple(
        replace(steady(contender.name, number, tally, width=None), trials=1)
        for number, contender in enumerate(contenders)
    )
    return replace(
        full(contenders),
        steady=steadies,
        differences=tuple(replace(difference, one_round=True) for difference in differences(steadies, noise=None)),
        sweep=(),
        burst=(),
        overload=(),
        soak=(),
        left_out=(),
        trials=5,
        record=replace(RECORD, contenders=contenders, command="kit bench --quick"),
    )


def only(name: str) -> Findings:
    """One pattern, and nothing to compare it with."""
    findings = quick()
    return replace(
        findings,
        contenders=(pattern(name),),
        steady=tuple(steady for steady in findings.steady if steady.contender == name),
        differences=(),
        instrument=tuple(instrument for instrument in findings.instrument if instrument.contender == name),
        trials=1,
    )


def nothing_valid() -> Findings:
    """All trials were left out."""
    findings = quick()
    left = tuple(
        LeftOut(number, contender.name, Mode.STEADY, ("the load process used 97 % of a core",))
        for number, contender in enumerate(findings.contenders, start=1)
    )
    return replace(findings, steady=(), differences=(), left_out=left, instrument=())


def lossy() -> Findings:
    """The webhook lost and failed tasks; nothing was killed."""
    findings = full()
    bad = replace(WELL, completed=COUNT - 8, lost=5, failed=3)
    rows = [replace(steady, tally=bad) if steady.contender == "webhook" else steady for steady in findings.steady]
    return replace(findings, steady=tuple(rows))


def busy() -> Findings:
    """Other programs kept more than one of two cores busy."""
    shared = MachineLoad(cores=2, others=1.13, steal=0.07, worst=1.31, during="webhook", null=spread(0.0067))
    return replace(quick(), machine=shared)


def crowd() -> Findings:
    """The five patterns and three external contenders."""
    more = tuple(replace(OUTSIDER, name=f"{name}_queue", title=name) for name in ("dramatiq", "saq", "taskiq"))
    findings = full()
    (like,) = [steady for steady in findings.steady if steady.contender == OUTSIDER.name]
    others = [steady for steady in findings.steady if steady.contender != OUTSIDER.name]
    steadies = (*others, *(replace(like, contender=contender.name) for contender in more))
    return replace(findings, contenders=(*PATTERN_CONTENDERS, *more, NULL), steady=steadies, left_out=())


def ties() -> Findings:
    """All differences are within the noise."""
    findings = full()
    return replace(findings, differences=differences(findings.steady, noise=5.0))


def no_ties() -> Findings:
    """All differences exceed the noise."""
    findings = full()
    return replace(findings, differences=differences(findings.steady, noise=0.0000001))


ALL = {
    "full": full,
    "quick": quick,
    "one pattern": lambda: only("in_memory_queue"),
    "nothing valid": nothing_valid,
    "lossy": lossy,
    "busy": busy,
    "ties": ties,
    "no ties": no_ties,
}
