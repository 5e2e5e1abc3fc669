"""What to use, question by question: short sentences for whoever has to decide, and to defend it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.analysis.findings import Findings
from benchmarks.analysis.measures import Measure
from benchmarks.records.run import Mode
from benchmarks.report.crash_losses import OUTLIVED, declared_only, fate, losses_of
from benchmarks.report.document import capital, code, listed
from benchmarks.report.formatting import duration
from benchmarks.report.question_groups import BASELINE, of_question
from benchmarks.report.ranking import TOO_CLOSE, Ranking, ranking, sound, without_figures
from patterns.contract.descriptor import Fault, LearnsBy, Question

#: What a client must be able to do, or a server must bear, beside what is measured.
_ASKS = {
    LearnsBy.ADAPTIVE_POLL.value: "holds a request open while it waits",
    LearnsBy.CALLBACK.value: "needs a receiver that the server can reach",
}
#: The measure by which each question is decided.
DECIDES = {Question.RUNS_IN: Measure.SUBMIT_LATENCY, Question.LEARNS_BY: Measure.NOTIFICATION_LAG}
_LOST_BY = {
    Fault.BROKER_LOSS: "the broker loses its data",
    Fault.WORKER_KILL: "a worker is killed",
    Fault.WORKER_STOP: "a worker is stopped",
}


@dataclass(frozen=True)
class Recommendation:
    """For one question."""

    question: Question
    sentences: tuple[str, ...]

    @property
    def text(self) -> str:
        """All sentences."""
        return " ".join(self.sentences)


def recommendations(findings: Findings) -> list[Recommendation]:
    """One for each question."""
    return [
        Recommendation(question, tuple(capital(one) for one in _SAID[question](findings) if one))
        for question in Question
    ]


def _where(findings: Findings) -> Sequence[str]:
    names = of_question(findings, Question.RUNS_IN)
    usable = _usable(findings, names)
    keeping = [name for name in usable if all(fate(findings, name, fault).keeps for fault in OUTLIVED)]
    if not names:
        return ["no contender that answers this question took part."]
    if not keeping:
        return [
            *_by_measure(findings, Question.RUNS_IN),
            "None here keeps accepted tasks when the web process crashes.",
        ]
    if len(usable) > 1 and len(keeping) == len(usable):
        kept = "each of them keeps accepted tasks when the web process crashes."
        return [*_by_measure(findings, Question.RUNS_IN), kept]
    how = " (declared, not measured here)" if declared_only(findings, keeping) else " (measured here)"
    kept = listed([code(name) for name in keeping], "or")
    only = "only it keeps them" if len(keeping) == 1 else "only they keep them"
    first = f"use {kept} if accepted tasks must survive a crash of the web process: {only}{how}."
    otherwise = [f"otherwise {_lowered(one)}" if at == 0 else one
                 for at, one in enumerate(_by_measure(findings, Question.RUNS_IN))]  # fmt: skip
    return [first, _price(findings, keeping), *otherwise]


def _price(findings: Findings, keeping: Sequence[str]) -> str:
    """What it costs to keep them: in time, and what it still loses."""
    said = []
    for name in keeping:
        took = _median(findings, name, Measure.SUBMIT_LATENCY)
        if took and (beside := _median(findings, BASELINE, Measure.SUBMIT_LATENCY)):
            said.append(f"it answers submit in {took} ({code(BASELINE)}: {beside})")
        if lost := [_LOST_BY.get(fault, fault.value) for fault in losses_of(findings, name)]:
            said.append(f"it loses them if {listed(lost, 'or')}")
        if said and len(keeping) > 1:
            return ""  # the tables have it
    return f"{'; '.join(said)}." if said else ""


def _how(findings: Findings) -> Sequence[str]:
    names = of_question(findings, Question.LEARNS_BY)
    if not names:
        return ["no contender that answers this question took part."]
    return [*_by_measure(findings, Question.LEARNS_BY), _asked(findings, names)]


def _asked(findings: Findings, names: Sequence[str]) -> str:
    found = ranking(findings, sound(findings, names), Measure.NOTIFICATION_LAG)
    by_name = {one.name: one for one in findings.contenders}
    asks = [f"{code(name)} {_ASKS[by_name[name].learns_by]}" for name in _named(found)
            if by_name[name].learns_by in _ASKS]  # fmt: skip
    return f"{'; '.join(asks)}." if asks else ""


def _by_measure(findings: Findings, question: Question) -> list[str]:
    """Who is best by what decides this question, and why."""
    names = of_question(findings, question)
    candidates = sound(findings, names)
    if not candidates:
        return [f"no recommendation: {_why_none(findings, names)}"]
    found = ranking(findings, candidates, DECIDES[question])
    if not found.names:
        return ["no recommendation: no task has this figure."]
    if len(found.names) == 1:
        return [f"nothing to compare: only {code(found.names[0])} was measured."]
    if not found.known and not found.one_round:
        return ["no recommendation: this run is too short to tell them apart."]
    absent = without_figures(findings, names)
    if not absent or found.undecided:
        return _ranked(found)
    # Whoever has no figures may be better than all of them.
    nobody = TOO_CLOSE if found.one_round else "no recommendation"
    first, *others = _ranked(found)
    left_out = f"{listed([code(name) for name in absent])} {'was' if len(absent) == 1 else 'were'} left out"
    return [f"{nobody}, because {left_out}.", f"Of the others, {first}", *others]


def _ranked(found: Ranking) -> list[str]:
    if not found.best:
        return ["no recommendation: each is behind another one."]
    said = _SAYS[found.measure].format(_range(found, found.best))
    if found.undecided:
        return [f"{found.tie} ({said})."]
    best = [code(name) for name in found.best]
    behind = [f"{code(step.name)}: {duration(found.medians[step.name].value)}" for step in found.behind]
    first = f"use {listed(best, 'or')}: {said} ({', '.join(behind)})."
    return [first, *([f"Between {listed(best)}: {found.tie}."] if len(best) > 1 else [])]


def _range(found: Ranking, names: Sequence[str]) -> str:
    """`2.0 ms`, or `2.0 to 2.6 ms`: the medians of several."""
    low, high = (duration(found.medians[name].value) for name in (names[0], names[-1]))
    number, unit = low.split(" ")
    return low if low == high else f"{number if high.endswith(f' {unit}') else low} to {high}"


def _why_none(findings: Findings, names: Sequence[str]) -> str:
    if any(findings.steady_of(name) for name in names):
        return "tasks of each of them went wrong."
    if any(one.mode is Mode.STEADY and one.contender in names for one in findings.left_out):
        return "every trial was left out."
    return f"not measured in this run; {code('kit bench --quick')} does."


def _usable(findings: Findings, names: Sequence[str]) -> list[str]:
    """Without those whose tasks went wrong though nothing was broken; who was not measured stays."""
    bad = {one.contender for one in findings.steady} - set(sound(findings, names))
    return [name for name in names if name not in bad]


def _named(found: Ranking) -> tuple[str, ...]:
    return found.best if len(found.names) > 1 else ()


def _median(findings: Findings, name: str, measure: Measure) -> str:
    steady = findings.steady_of(name)
    return duration(steady.spreads[measure].p50.value) if steady and measure in steady.spreads else ""


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


_SAYS: Mapping[Measure, str] = {
    Measure.SUBMIT_LATENCY: "submit is answered in {}",
    Measure.NOTIFICATION_LAG: "the client knows the outcome {} after the task has finished",
}
_SAID: Mapping[Question, Callable[[Findings], Sequence[str]]] = {Question.RUNS_IN: _where, Question.LEARNS_BY: _how}
