"""From a run's folder to its findings."""

from collections import Counter
from collections.abc import Sequence

from benchmarks.analysis.busy_machine import machine_load
from benchmarks.analysis.findings import Findings, Instrument, LeftOut
from benchmarks.analysis.margin import NOISE_MEASURE, noise_of
from benchmarks.analysis.memory_growth import soak
from benchmarks.analysis.metrics import percentile
from benchmarks.analysis.saturation import burst, overload, sweep
from benchmarks.analysis.steady_rate import differences, pairs_within, steady
from benchmarks.analysis.validity import reasons
from benchmarks.records.callbacks import count_callbacks
from benchmarks.records.faults import FaultTrial, read_fault_trials
from benchmarks.records.run import ContenderRecord, Mode, RunFolder, RunRecord, Trial
from benchmarks.records.samples import Outcome, Phase, Sample, SamplesError, read_samples
from patterns import IN_MEMORY_QUEUE
from patterns.contract.descriptor import Question


def analyse(folder: RunFolder) -> Findings:
    """Everything that a run has shown. Raises `RunError` and `SamplesError` when there is no run to read."""
    record = folder.read_record()
    packed = folder.packed_samples
    if any(trial.load for trial in record.trials) and not packed.exists() and not folder.samples.exists():
        raise SamplesError(f"{folder.path} has no {packed.name}: a report is made from the samples of its run.")
    samples = read_samples(packed if packed.exists() else folder.samples) if record.trials else []
    return findings(record, samples, count_callbacks(folder.callbacks), read_fault_trials(folder.path))


def findings(
    record: RunRecord,
    samples: Sequence[Sample],
    callbacks: dict[str, Counter[str]],
    faults: tuple[FaultTrial, ...] = (),
) -> Findings:
    """The same from data alone."""
    rows: dict[int, list[Sample]] = {trial.number: [] for trial in record.trials}
    for sample in samples:
        rows.setdefault(sample.trial, []).append(sample)
    left_out = tuple(
        LeftOut(trial.number, trial.contender, trial.mode, why)
        for trial in record.trials
        if (why := reasons(trial, rows[trial.number]))
    )
    invalid = {one.trial for one in left_out}
    valid = [trial for trial in record.trials if trial.number not in invalid]
    taking_part = {trial.contender for trial in record.trials} | {cell.contender for cell in faults}
    names = [one.name for one in record.contenders if one.name in taking_part]

    def of(name: str, mode: Mode) -> list[Trial]:
        return [trial for trial in valid if trial.contender == name and trial.mode is mode]

    seed = record.seed
    at_rate = {name: of(name, Mode.STEADY) for name in names}
    bound = float(record.settings.get("bound", 1.0))
    contenders = tuple(one for one in record.contenders if one.name in names)
    in_sweep, in_burst, in_overload, in_soak = (
        [(name, trials) for name in names if (trials := of(name, mode))]
        for mode in (Mode.SWEEP, Mode.BURST, Mode.OVERLOAD, Mode.SOAK)
    )
    steadies = tuple(
        steady(name, trials, rows, callbacks.get(name, Counter()), seed) for name, trials in at_rate.items() if trials
    )
    nulls = {one.name for one in contenders if one.kind == "null"}
    noise = max((noise_of(one.spreads.get(NOISE_MEASURE)) for one in steadies if one.contender in nulls), default=0.0)
    return Findings(
        record=record,
        contenders=contenders,
        steady=steadies,
        differences=differences(pairs_within(groups(contenders)), at_rate, rows, seed, noise),
        sweep=tuple(sweep(name, trials, rows, bound) for name, trials in in_sweep),
        burst=tuple(burst(name, trials, rows) for name, trials in in_burst),
        overload=tuple(one for name, trials in in_overload if (one := overload(name, trials, rows))),
        soak=tuple(kept for name, trials in in_soak if (kept := soak(name, trials[0], rows[trials[0].number]))),
        left_out=left_out,
        instrument=tuple(_instrument(name, record, rows) for name in names),
        trials=len(record.trials),
        warnings=(),
        faults=faults,
        machine=machine_load(record, valid, steadies),
    )


def groups(contenders: Sequence[ContenderRecord]) -> list[list[str]]:
    """Who may be ranked with whom: those that answer one question. The baseline answers both."""
    found = []
    for question in Question:
        members = [one.name for one in contenders if one.teaches == question.value]
        baseline = IN_MEMORY_QUEUE.name
        if question is Question.LEARNS_BY and members and any(one.name == baseline for one in contenders):
            members.insert(0, baseline)
        if members:
            found.append(members)
    return found


def _instrument(name: str, record: RunRecord, rows: dict[int, list[Sample]]) -> Instrument:
    mine = [trial for trial in record.trials if trial.contender == name]
    measured = [row for trial in mine for row in rows[trial.number] if row.phase is Phase.MEASURED]
    # Of a burst nobody could be on time with all: it is judged by itself, in `validity`.
    bursts = {trial.number for trial in mine if trial.mode is Mode.BURST}
    late = sorted(row.lateness for row in measured if row.lateness is not None and row.trial not in bursts)
    return Instrument(
        contender=name,
        lateness_p99=percentile(late, 99) if late else 0.0,
        busiest_cpu_share=max((trial.load.busiest_cpu_share for trial in mine if trial.load), default=0.0),
        offered=len(measured),
        dropped=sum(row.outcome is Outcome.DROPPED for row in measured),
    )
