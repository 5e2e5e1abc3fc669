"""From a run's folder to its findings."""

from collections import Counter
from collections.abc import Mapping, Sequence

from benchmarks.analysis.busy_machine import machine_load
from benchmarks.analysis.findings import Findings, Instrument, LeftOut, Steady
from benchmarks.analysis.margin import NOISE_MEASURE, noise_of
from benchmarks.analysis.memory_growth import memory_growth
from benchmarks.analysis.metrics import percentile
from benchmarks.analysis.saturation import burst, overload, sweep
from benchmarks.analysis.steady_rate import differences, pairs_within, steady_rate
from benchmarks.analysis.validity import invalid_reasons
from benchmarks.records.callbacks import count_callbacks
from benchmarks.records.faults import FaultTrial, read_fault_trials
from benchmarks.records.run import ContenderRecord, Mode, RunFolder, RunRecord, Trial
from benchmarks.records.samples import Outcome, Phase, Sample, SamplesError, read_samples
from patterns import IN_MEMORY_QUEUE
from patterns.contract.descriptor import Question

Rows = Mapping[int, Sequence[Sample]]  # by trial


def analyse_run(folder: RunFolder) -> Findings:
    """The findings of a run. Raises `RunError` and `SamplesError` if its files cannot be read."""
    record = folder.read_record()
    packed = folder.packed_samples
    if any(trial.load for trial in record.trials) and not packed.exists() and not folder.samples.exists():
        raise SamplesError(f"{folder.path} has no {packed.name}, which the report is created from.")
    samples = read_samples(packed if packed.exists() else folder.samples) if record.trials else []
    return analyse_samples(record, samples, count_callbacks(folder.callbacks), read_fault_trials(folder.path))


def analyse_samples(
    record: RunRecord,
    samples: Sequence[Sample],
    callbacks: dict[str, Counter[str]],
    faults: tuple[FaultTrial, ...] = (),
) -> Findings:
    """The findings of a run that is already in memory."""
    rows = samples_by_trial(record, samples)
    left_out = _left_out(record, rows)
    invalid = {trial.trial for trial in left_out}
    valid = [trial for trial in record.trials if trial.number not in invalid]
    measured = {trial.contender for trial in record.trials} | {trial.contender for trial in faults}
    contenders = tuple(contender for contender in record.contenders if contender.name in measured)
    names = [contender.name for contender in contenders]

    by_mode = {mode: _by_contender(valid, names, mode) for mode in Mode}
    seed, at_rate = record.seed, by_mode[Mode.STEADY]
    bound = float(record.settings.get("bound", 1.0))
    steady = tuple(
        steady_rate(name, trials, rows, callbacks.get(name, Counter()), seed) for name, trials in at_rate.items()
    )
    pairs = [pair for pair in pairs_within(_groups(contenders)) if set(pair) <= set(at_rate)]
    overloads = (overload(name, trials, rows) for name, trials in by_mode[Mode.OVERLOAD].items())
    soaks = (memory_growth(name, first, rows[first.number]) for name, (first, *_) in by_mode[Mode.SOAK].items())
    return Findings(
        record=record,
        contenders=contenders,
        steady=steady,
        differences=differences(pairs, at_rate, rows, seed, _noise(contenders, steady)),
        sweep=tuple(sweep(name, trials, rows, bound) for name, trials in by_mode[Mode.SWEEP].items()),
        burst=tuple(burst(name, trials, rows) for name, trials in by_mode[Mode.BURST].items()),
        overload=tuple(filter(None, overloads)),
        soak=tuple(filter(None, soaks)),
        left_out=left_out,
        instrument=tuple(_instrument(name, record, rows) for name in names),
        trials=len(record.trials),
        warnings=(),
        faults=faults,
        machine=machine_load(record, valid, steady),
    )


def _by_contender(trials: Sequence[Trial], names: Sequence[str], mode: Mode) -> dict[str, list[Trial]]:
    """The trials of one mode by contender, without contenders that have none."""
    in_mode = {name: [trial for trial in trials if trial.contender == name and trial.mode is mode] for name in names}
    return {name: of_name for name, of_name in in_mode.items() if of_name}


def samples_by_trial(record: RunRecord, samples: Sequence[Sample]) -> dict[int, list[Sample]]:
    """The samples of each trial, by its number."""
    rows: dict[int, list[Sample]] = {trial.number: [] for trial in record.trials}
    for sample in samples:
        rows.setdefault(sample.trial, []).append(sample)
    return rows


def _left_out(record: RunRecord, rows: Rows) -> tuple[LeftOut, ...]:
    return tuple(
        LeftOut(trial.number, trial.contender, trial.mode, reasons)
        for trial in record.trials
        if (reasons := invalid_reasons(trial, rows[trial.number]))
    )


def _noise(contenders: Sequence[ContenderRecord], steady: Sequence[Steady]) -> float:
    """The noise of the null contender in seconds, as `margin` defines it; zero without one."""
    nulls = {contender.name for contender in contenders if contender.kind == "null"}
    return max((noise_of(each.spreads.get(NOISE_MEASURE)) for each in steady if each.contender in nulls), default=0.0)


def _groups(contenders: Sequence[ContenderRecord]) -> list[list[str]]:
    """The contenders that may be ranked together, because they answer the same question. The baseline answers both."""
    groups = []
    for question in Question:
        members = [contender.name for contender in contenders if contender.teaches == question.value]
        baseline = IN_MEMORY_QUEUE.name
        if question is Question.LEARNS_BY and members and any(each.name == baseline for each in contenders):
            members.insert(0, baseline)
        if members:
            groups.append(members)
    return groups


def _instrument(name: str, record: RunRecord, rows: Rows) -> Instrument:
    trials = [trial for trial in record.trials if trial.contender == name]
    measured = [row for trial in trials for row in rows[trial.number] if row.phase is Phase.MEASURED]
    # No sender can send a burst on time: `validity` judges it separately.
    bursts = {trial.number for trial in trials if trial.mode is Mode.BURST}
    late = sorted(row.lateness for row in measured if row.lateness is not None and row.trial not in bursts)
    return Instrument(
        contender=name,
        lateness_p99=percentile(late, 99) if late else 0.0,
        busiest_cpu_share=max((trial.load.busiest_cpu_share for trial in trials if trial.load), default=0.0),
        offered=len(measured),
        dropped=sum(row.outcome is Outcome.DROPPED for row in measured),
    )
