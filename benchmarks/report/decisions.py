"""The decision table: if you need this, use that, because of these measurements."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.analysis.findings import Burst, Findings, Overload
from benchmarks.analysis.measures import Measure
from benchmarks.records.run import Mode
from benchmarks.report.document import Cell, Rows, Table, Tone, capitalized, code, listed
from benchmarks.report.formatting import decimal, duration, estimate, integer, per_second, percent
from benchmarks.report.modes import results_of, was_run
from benchmarks.report.question_groups import BASELINE, of_question
from benchmarks.report.ranking import TOO_CLOSE, median_of, rank
from benchmarks.report.ranking_text import ranking_in_words
from benchmarks.report.soundness import sound, usable, without_metrics
from patterns.contract.descriptor import Fault, Question

Rule = Callable[[Findings, Question], "Decision"]

_NO_ANSWER = "no recommendation"


@dataclass(frozen=True)
class Decision:
    """A row of the table."""

    need: str
    use: str
    because: str
    answered: bool = True


def decision_table(findings: Findings) -> Table:
    """The decisions by question, because contenders are compared only within one."""
    groups = [
        Rows(capitalized(question.value), [_row(decision) for decision in decisions(findings, question)])
        for question in Question
        if of_question(findings, question)
    ]
    columns = ("if you need", "use", "because")
    return Table("If you need …, use …, because …", columns, groups, frozenset({0, 1, 2}), sentences=True)


def decisions(findings: Findings, question: Question) -> list[Decision]:
    """The rows of one question, except those of modes that were not run."""
    rules: list[tuple[Mode | None, Rule]] = [(None, _survivor)] if question is Question.RUNS_IN else []
    rules += [
        (Mode.STEADY, _FASTEST[question]),
        *([(Mode.STEADY, _fewest_requests)] if question is Question.LEARNS_BY else []),
        (Mode.SWEEP, _steady_tail),
        (Mode.BURST, _burst),
        (Mode.OVERLOAD, _overload),
    ]
    return [rule(findings, question) for mode, rule in rules if mode is None or was_run(findings, mode)]


def _survivor(findings: Findings, question: Question) -> Decision:
    need = "accepted tasks that survive a crash of the web process"
    names = of_question(findings, question)
    losses = {contender.name: contender.loses_on for contender in findings.contenders}
    keeping = [name for name in names if not {Fault.WEB_KILL, Fault.WEB_STOP} & set(losses[name])]
    if not keeping:
        return Decision(need, "none of these", "Declared: all of them lose tasks on a kill or a stop.", False)
    sound_keeping = [name for name in keeping if name in usable(findings, names)]
    if not sound_keeping:
        because = f"{listed([code(name) for name in keeping])} would, but had failures although nothing was killed."
        return Decision(need, "none of these", because, False)
    price = [
        f"{code(name)} {estimate(median)}"
        for name in dict.fromkeys([*sound_keeping, *(name for name in names if name == BASELINE)])
        if (median := median_of(findings, name, Measure.SUBMIT_LATENCY))
    ]
    cost = f" Median submit latency: {listed(price)}." if price else ""
    how = "Measured here" if set(sound_keeping) <= {trial.contender for trial in findings.faults} else "Declared"
    because = f"{how}: survives {code('web_kill')} and {code('web_stop')}.{cost}"
    return Decision(need, listed([code(name) for name in sound_keeping], "or"), because)


def _fastest_submit(findings: Findings, question: Question) -> Decision:
    return _quickest(findings, question, "the lowest submit latency", Measure.SUBMIT_LATENCY)


def _fastest_outcome(findings: Findings, question: Question) -> Decision:
    return _quickest(findings, question, "the outcome as soon as possible", Measure.NOTIFICATION_LAG)


def _quickest(findings: Findings, question: Question, need: str, measure: Measure) -> Decision:
    names = sound(findings, of_question(findings, question))
    if not names:
        return _unmeasured(findings, need, question, Mode.STEADY)
    ranking = rank(findings, names, measure)
    if not ranking.names:
        return Decision(need, _NO_ANSWER, "No task has this measurement.", False)
    because = capitalized(ranking_in_words(ranking)) + "."
    if absent := without_metrics(findings, of_question(findings, question)):
        because += f" Left out: {listed([code(name) for name in absent])}."
    if ranking.one_round and (ranking.undecided or absent):
        return Decision(need, TOO_CLOSE, because, False)
    if len(ranking.names) == 1 or not ranking.known or not ranking.best or absent:
        return Decision(need, _NO_ANSWER, because, False)
    return Decision(need, _any_of(ranking.best, ranking.names, ranking.tie), because)


def _fewest_requests(findings: Findings, question: Question) -> Decision:
    need = "the fewest requests per task"
    steady = {name: findings.steady_of(name) for name in sound(findings, of_question(findings, question))}
    counts = {
        name: each.requests_per_task for name, each in steady.items() if each and each.requests_per_task is not None
    }
    if not counts:
        return _unmeasured(findings, need, question, Mode.STEADY)
    # Counts that are shown alike are equal: a mean of counts has no interval.
    shown = {name: decimal(count) for name, count in sorted(counts.items(), key=lambda item: item[1])}
    least = next(iter(shown.values()))
    best = [name for name in shown if shown[name] == least]
    because = f"Requests per task: {listed([f'{code(name)} {count}' for name, count in shown.items()])}."
    return _choice(need, best, list(shown), because)


def _steady_tail(findings: Findings, question: Question) -> Decision:
    need = "a p99 that stays low as the rate grows"
    names = usable(findings, of_question(findings, question))
    sweeps = [sweep for sweep in findings.sweep if sweep.contender in names]
    if not sweeps:
        return _unmeasured(findings, need, question, Mode.SWEEP)
    held = {sweep.contender: sweep.within_bound for sweep in sweeps}
    rates = [rate for rate in held.values() if rate is not None]
    parts = [
        f"{code(name)} {'at no rate' if rate is None else f'up to {per_second(rate)}'}" for name, rate in held.items()
    ]
    because = f"End-to-end p99 stayed under {duration(sweeps[0].bound)}: {listed(parts)}."
    if not rates:
        return Decision(need, "none of these", because, False)
    best = [name for name, rate in held.items() if rate == max(rates)]
    if len({trial.round for trial in findings.record.trials if trial.mode is Mode.SWEEP}) != 1:
        return _choice(need, best, list(held), because)
    # In a single round, one slow moment can cost a step of the sweep.
    offered = sorted({point.rate for sweep in sweeps for point in sweep.points})
    near = offered[max(0, offered.index(max(rates)) - 1)]
    close = [name for name, rate in held.items() if rate is not None and rate >= near]
    return _choice(need, close, list(held), because, several=TOO_CLOSE)


def _burst(findings: Findings, question: Question) -> Decision:
    need = "a burst without refused tasks"
    names = usable(findings, of_question(findings, question))
    bursts = [burst for burst in findings.burst if burst.contender in names]
    if not bursts:
        return _unmeasured(findings, need, question, Mode.BURST)
    parts = [f"{code(burst.contender)} {_done(burst)}" for burst in bursts]
    because = f"Of {integer(max(burst.count for burst in bursts))} tasks at once: {listed(parts)}."
    best = [burst.contender for burst in bursts if not burst.not_done and burst.to_all is not None]
    return _choice(need, best, [burst.contender for burst in bursts], because, several="each does")


def _done(burst: Burst) -> str:
    if burst.not_done or burst.to_all is None:
        return f"{integer(burst.not_done)} not completed"
    return f"all in {duration(burst.to_all)}"


def _overload(findings: Findings, question: Question) -> Decision:
    need = "overload without lost tasks"
    names = usable(findings, of_question(findings, question))
    overloads = [overload for overload in findings.overload if overload.contender in names]
    if not overloads:
        return _unmeasured(findings, need, question, Mode.OVERLOAD)
    because = capitalized("; ".join(map(_survived, overloads))) + "."
    best = [overload.contender for overload in overloads if not overload.lost and overload.recovery is not None]
    return _choice(need, best, [overload.contender for overload in overloads], because, several="each does")


def _survived(overload: Overload) -> str:
    return (
        f"{code(overload.contender)} lost {integer(overload.lost)}, refused {percent(overload.refused)}, completed "
        f"{per_second(overload.goodput)} at a capacity of {per_second(overload.capacity)}, "
    ) + ("did not recover" if overload.recovery is None else f"recovered in {duration(overload.recovery)}")


def _choice(
    need: str, best: Sequence[str], measured: Sequence[str], because: str, *, several: str = "tied"
) -> Decision:
    if not best:
        return Decision(need, "none of these", because, False)
    if len(measured) == 1:
        return Decision(need, _NO_ANSWER, f"{because} There is nothing to compare it with.", False)
    return Decision(need, _any_of(best, measured, several), because)


def _any_of(best: Sequence[str], measured: Sequence[str], several: str) -> str:
    """The best contenders; if all are equally good, not their names, because the row lists them anyway."""
    if len(best) == 1:
        return code(best[0])
    names = "any of them" if len(best) == len(measured) else listed([code(name) for name in best], "or")
    return f"{names} ({several})"


def _unmeasured(findings: Findings, need: str, question: Question, mode: Mode) -> Decision:
    measured = {result.contender for result in results_of(findings, mode)} & set(of_question(findings, question))
    left_out = any(trial.mode is mode for trial in findings.left_out)
    why = "Every trial was left out." if left_out else "No contender for this question was measured."
    return Decision(need, _NO_ANSWER, "Every measured contender had failures." if measured else why, False)


def _row(decision: Decision) -> list[Cell]:
    use = Cell(decision.use, Tone.GOOD if decision.answered else Tone.QUIET)
    return [Cell(decision.need), use, Cell(decision.because)]


_FASTEST: Mapping[Question, Rule] = {Question.RUNS_IN: _fastest_submit, Question.LEARNS_BY: _fastest_outcome}
