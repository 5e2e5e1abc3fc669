"""The decision table: if you need this, use that, because of what was measured here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.analysis.findings import Burst, Findings
from benchmarks.analysis.measures import Estimate, Measure
from benchmarks.records.run import Mode
from benchmarks.report.document import Cell, Rows, Table, Tone, capital, code, listed
from benchmarks.report.formatting import duration, estimate, per_second, percent, plain, whole
from benchmarks.report.question_groups import BASELINE, of_question
from benchmarks.report.ranking import TOO_CLOSE, ranking, sound, without_figures
from benchmarks.report.wording import found_in, ranked, was_run
from patterns.contract.descriptor import Fault, Question

Rule = Callable[[Findings, Question], "Decision"]


@dataclass(frozen=True)
class Decision:
    """One row."""

    need: str
    use: str
    because: str
    answered: bool = True


def decision_table(findings: Findings) -> Table:
    """The needs by question, since two patterns are only ever compared within one."""
    groups = [
        Rows(_heading(question), [_row(one) for one in decisions(findings, question)])
        for question in Question
        if of_question(findings, question)
    ]
    return Table(
        "If you need …, use …, because …",
        ("if you need", "use", "because"),
        groups,
        frozenset({0, 1, 2}),
        sentences=True,
    )


def decisions(findings: Findings, question: Question) -> list[Decision]:
    """All rows of one question, less those of a mode that nobody asked for."""
    rules: list[tuple[Mode | None, Rule]] = [(None, _survivor)] if question is Question.RUNS_IN else []
    rules += [
        (Mode.STEADY, _QUICKEST[question]),
        *([(Mode.STEADY, _fewest_requests)] if question is Question.LEARNS_BY else []),
        (Mode.SWEEP, _steady_tail),
        (Mode.BURST, _burst),
        (Mode.OVERLOAD, _overload),
    ]
    return [rule(findings, question) for mode, rule in rules if mode is None or was_run(findings, mode)]


def _survivor(findings: Findings, question: Question) -> Decision:
    need = "accepted tasks to outlive the web process"
    names = of_question(findings, question)
    losses = {one.name: one.loses_on for one in findings.contenders}
    keep = [n for n in names if not {Fault.WEB_KILL, Fault.WEB_STOP} & set(losses[n])]
    if not keep:
        return Decision(need, "none of these", "Declared: each loses them on a kill or a stop.", False)
    if not set(keep) & set(_usable(findings, question)):
        kept = listed([code(name) for name in keep])
        return Decision(need, "none of these", f"{kept} would, but went wrong here though nothing was killed.", False)
    keep = [name for name in keep if name in _usable(findings, question)]
    price = [
        f"{code(name)} answers submit in {_median(findings, name, Measure.SUBMIT_LATENCY)}"
        for name in dict.fromkeys([*keep, *(n for n in names if n == BASELINE)])
        if _spread(findings, name, Measure.SUBMIT_LATENCY)
    ]
    cost = f" The price, at the median: {listed(price)}." if price else ""
    kept = listed([code(name) for name in keep], "or")
    how = "Measured here" if set(keep) <= {cell.contender for cell in findings.faults} else "Declared"
    return Decision(need, kept, f"{how}: survives {code('web_kill')} and {code('web_stop')}.{cost}")


def _soonest_answer(findings: Findings, question: Question) -> Decision:
    return _quickest(findings, question, "the quickest answer to submit", Measure.SUBMIT_LATENCY)


def _soonest_outcome(findings: Findings, question: Question) -> Decision:
    return _quickest(findings, question, "to know the outcome at once", Measure.NOTIFICATION_LAG)


def _quickest(findings: Findings, question: Question, need: str, measure: Measure) -> Decision:
    names = sound(findings, of_question(findings, question))
    if not names:
        return _unmeasured(findings, need, question, Mode.STEADY)
    found = ranking(findings, names, measure)
    if not found.names:
        return Decision(need, "no answer", "No task has this figure.", False)
    because = capital(ranked(found)) + "."
    if absent := without_figures(findings, of_question(findings, question)):
        because += f" Left out: {listed([code(name) for name in absent])}."
    if found.one_round and (found.undecided or absent):
        return Decision(need, TOO_CLOSE, because, False)
    if len(found.names) == 1 or not found.known or not found.best or absent:
        return Decision(need, "no answer", because, False)
    return Decision(need, _either(found.best, found.tie), because)


def _fewest_requests(findings: Findings, question: Question) -> Decision:
    need = "the fewest requests for each task"
    steady = {name: findings.steady_of(name) for name in sound(findings, of_question(findings, question))}
    counts = {name: s.requests_per_task for name, s in steady.items() if s and s.requests_per_task is not None}
    if not counts:
        return _unmeasured(findings, need, question, Mode.STEADY)
    # What is written the same is the same: no interval is known of a mean of counts.
    shown = {name: plain(count) for name, count in sorted(counts.items(), key=lambda item: item[1])}
    least = next(iter(shown.values()))
    best = [name for name in shown if shown[name] == least]
    because = f"Requests per task: {listed([f'{code(name)} {count}' for name, count in shown.items()])}."
    return _choice(need, best, list(shown), because)


def _steady_tail(findings: Findings, question: Question) -> Decision:
    need = "a p99 that holds as the rate grows"
    found = [one for one in findings.sweep if one.contender in _usable(findings, question)]
    if not found:
        return _unmeasured(findings, need, question, Mode.SWEEP)
    held = {one.contender: one.within_bound for one in found}
    rates = [rate for rate in held.values() if rate is not None]
    said = [f"{code(name)} {'at no rate' if rate is None else f'to {per_second(rate)}'}" for name, rate in held.items()]
    because = f"End to end p99 stayed under {duration(found[0].bound)}: {listed(said)}."
    if not rates:
        return Decision(need, "none of these", because, False)
    best = [name for name, rate in held.items() if rate == max(rates)]
    if len({trial.round for trial in findings.record.trials if trial.mode is Mode.SWEEP}) != 1:
        return _choice(need, best, list(held), because)
    # In one round a single slow moment decides on a step of the sweep.
    offered = sorted({point.rate for one in found for point in one.points})
    near = offered[max(0, offered.index(max(rates)) - 1)]
    close = [name for name, rate in held.items() if rate is not None and rate >= near]
    return _choice(need, close, list(held), because, several=TOO_CLOSE)


def _burst(findings: Findings, question: Question) -> Decision:
    need = "many at once, and none refused"
    found = [one for one in findings.burst if one.contender in _usable(findings, question)]
    if not found:
        return _unmeasured(findings, need, question, Mode.BURST)
    said = [f"{code(one.contender)} {_done(one)}" for one in found]
    because = f"Of {whole(max(one.count for one in found))} tasks at once: {listed(said)}."
    best = [one.contender for one in found if not one.not_done and one.to_all is not None]
    return _choice(need, best, [one.contender for one in found], because, several="each does")


def _done(one: Burst) -> str:
    if one.not_done or one.to_all is None:
        return f"{whole(one.not_done)} not done"
    return f"all in {duration(one.to_all)}"


def _overload(findings: Findings, question: Question) -> Decision:
    need = "to come through overload without loss"
    found = [one for one in findings.overload if one.contender in _usable(findings, question)]
    if not found:
        return _unmeasured(findings, need, question, Mode.OVERLOAD)
    said = [
        f"{code(one.contender)} lost {whole(one.lost)}, refused {percent(one.refused)}, completed "
        f"{per_second(one.goodput)} of {per_second(one.capacity)} possible, "
        + ("did not recover" if one.recovery is None else f"recovered in {duration(one.recovery)}")
        for one in found
    ]
    best = [one.contender for one in found if not one.lost and one.recovery is not None]
    return _choice(need, best, [one.contender for one in found], capital("; ".join(said)) + ".", several="each does")


def _choice(
    need: str, best: Sequence[str], measured: Sequence[str], because: str, *, several: str = "a tie"
) -> Decision:
    if not best:
        return Decision(need, "none of these", because, False)
    if len(measured) == 1:
        return Decision(need, "no answer", f"{because} With nothing measured beside it, that is no comparison.", False)
    return Decision(need, _either(best, several), because)


def _either(names: Sequence[str], several: str = "a tie") -> str:
    return listed([code(name) for name in names], "or") + (f" ({several})" if len(names) > 1 else "")


def _usable(findings: Findings, question: Question) -> list[str]:
    """The candidates, less those that went wrong at the given rate; who was not measured there stays."""
    names = of_question(findings, question)
    bad = {one.contender for one in findings.steady} - set(sound(findings, names))
    return [name for name in names if name not in bad]


def _unmeasured(findings: Findings, need: str, question: Question, mode: Mode) -> Decision:
    there = {one.contender for one in found_in(findings, mode)} & set(of_question(findings, question))
    left = any(one.mode is mode for one in findings.left_out)
    why = "Every trial was left out." if left else "Nobody who answers this question was measured."
    return Decision(need, "no answer", "All that were measured went wrong." if there else why, False)


def _median(findings: Findings, name: str, measure: Measure) -> str:
    return estimate(_spread(findings, name, measure))


def _spread(findings: Findings, name: str, measure: Measure) -> Estimate | None:
    steady = findings.steady_of(name)
    return steady.spreads[measure].p50 if steady and measure in steady.spreads else None


def _row(one: Decision) -> list[Cell]:
    return [Cell(one.need), Cell(one.use, Tone.GOOD if one.answered else Tone.QUIET), Cell(one.because)]


def _heading(question: Question) -> str:
    return capital(question.value)


_QUICKEST: Mapping[Question, Rule] = {Question.RUNS_IN: _soonest_answer, Question.LEARNS_BY: _soonest_outcome}
