"""The recommendation for each question: a few short sentences, each with the number behind it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.analysis.findings import Findings
from benchmarks.analysis.measures import Measure
from benchmarks.records.run import Mode
from benchmarks.report.crash_losses import OUTLIVED, crash_outcome, declared_only, losses_of
from benchmarks.report.document import capitalized, code, listed
from benchmarks.report.formatting import duration
from benchmarks.report.question_groups import BASELINE, of_question
from benchmarks.report.ranking import TOO_CLOSE, Ranking, median_of, rank
from benchmarks.report.ranking_text import median_range
from benchmarks.report.soundness import sound, usable, without_metrics
from patterns.contract.descriptor import Fault, LearnsBy, Question

#: What a way of learning the outcome demands of client or server, beyond what is measured.
_REQUIREMENTS = {
    LearnsBy.ADAPTIVE_POLL.value: "holds a request open while it waits",
    LearnsBy.CALLBACK.value: "needs a receiver that the server can reach",
}
#: The measure that decides each question, and the sentence for its median.
DECIDES = {Question.RUNS_IN: Measure.SUBMIT_LATENCY, Question.LEARNS_BY: Measure.NOTIFICATION_LAG}
_SENTENCES: Mapping[Measure, str] = {
    Measure.SUBMIT_LATENCY: "submit takes {}",
    Measure.NOTIFICATION_LAG: "the client learns the outcome {} after the task finishes",
}
_LOST_BY = {
    Fault.BROKER_LOSS: "the broker loses its data",
    Fault.WORKER_KILL: "a worker is killed",
    Fault.WORKER_STOP: "a worker is stopped",
}
_NO_CONTENDER = "no contender for this question took part."


@dataclass(frozen=True)
class Recommendation:
    """The recommendation for one question."""

    question: Question
    sentences: tuple[str, ...]

    @property
    def text(self) -> str:
        """All sentences."""
        return " ".join(self.sentences)


def recommendations(findings: Findings) -> list[Recommendation]:
    """A recommendation for each question."""
    return [
        Recommendation(question, tuple(capitalized(text) for text in _RECOMMEND[question](findings) if text))
        for question in Question
    ]


def _where(findings: Findings) -> Sequence[str]:
    names = of_question(findings, Question.RUNS_IN)
    if not names:
        return [_NO_CONTENDER]
    candidates = usable(findings, names)
    keeping = [name for name in candidates if all(crash_outcome(findings, name, fault).keeps for fault in OUTLIVED)]
    quickest = _by_measure(findings, Question.RUNS_IN)
    if not keeping:
        return [*quickest, "no contender keeps accepted tasks when the web process crashes."]
    if len(keeping) == len(candidates) > 1:
        return [*quickest, "every contender keeps accepted tasks when the web process crashes."]
    how = "declared, not measured here" if declared_only(findings, keeping) else "measured here"
    kept = listed([code(name) for name in keeping], "or")
    survive = f"use {kept} if accepted tasks must survive a crash of the web process; the others lose them ({how})."
    return [survive, _price(findings, keeping), f"otherwise, {_uncapitalized(quickest[0])}", *quickest[1:]]


def _price(findings: Findings, keeping: Sequence[str]) -> str:
    """The submit latency of the contender that keeps tasks, and what still loses them; for several, see the tables."""
    if len(keeping) > 1:
        return ""
    (name,) = keeping
    parts = []
    took, baseline = (median_of(findings, each, Measure.SUBMIT_LATENCY) for each in (name, BASELINE))
    if took and baseline:
        parts.append(f"submit takes {duration(took.value)} ({code(BASELINE)}: {duration(baseline.value)})")
    if lost := [_LOST_BY.get(fault, fault.value) for fault in losses_of(findings, name)]:
        parts.append(f"tasks are lost if {listed(lost, 'or')}")
    return f"{'; '.join(parts)}." if parts else ""


def _how(findings: Findings) -> Sequence[str]:
    names = of_question(findings, Question.LEARNS_BY)
    if not names:
        return [_NO_CONTENDER]
    return [*_by_measure(findings, Question.LEARNS_BY), _requirements(findings, names)]


def _requirements(findings: Findings, names: Sequence[str]) -> str:
    ranking = rank(findings, sound(findings, names), Measure.NOTIFICATION_LAG)
    if len(ranking.names) < 2:
        return ""
    learns_by = {contender.name: contender.learns_by for contender in findings.contenders}
    parts = [
        f"{code(name)} {_REQUIREMENTS[learns_by[name]]}" for name in ranking.best if learns_by[name] in _REQUIREMENTS
    ]
    return f"{'; '.join(parts)}." if parts else ""


def _by_measure(findings: Findings, question: Question) -> list[str]:
    """The best contender by the measure that decides this question, with its numbers."""
    names = of_question(findings, question)
    candidates = sound(findings, names)
    if not candidates:
        return [f"no recommendation: {_why_none(findings, names)}"]
    ranking = rank(findings, candidates, DECIDES[question])
    if not ranking.names:
        return ["no recommendation: no task has this measurement."]
    if len(ranking.names) == 1:
        return [f"nothing to compare: only {code(ranking.names[0])} was measured."]
    if not ranking.known and not ranking.one_round:
        return ["no recommendation: this run is too short to tell the contenders apart."]
    absent = without_metrics(findings, names)
    if not absent or ranking.undecided:
        return [_best(ranking)]
    # A contender without a valid trial may be the best.
    undecided = TOO_CLOSE if ranking.one_round else "no recommendation"
    left_out = f"{listed([code(name) for name in absent])} {'was' if len(absent) == 1 else 'were'} left out"
    return [f"{undecided}, because {left_out}.", f"Of the others, {_best(ranking)}"]


def _best(ranking: Ranking) -> str:
    if not ranking.best:
        return "no recommendation: every contender is slower than some other."
    median = _SENTENCES[ranking.measure].format(median_range(ranking, ranking.best))
    if ranking.undecided:
        return f"{ranking.tie} ({median})."
    best = listed([code(name) for name in ranking.best], "or") + (f" ({ranking.tie})" if len(ranking.best) > 1 else "")
    behind = [f"{code(gap.name)}: {duration(ranking.medians[gap.name].value)}" for gap in ranking.behind]
    return f"use {best}: {median} ({', '.join(behind)})."


def _why_none(findings: Findings, names: Sequence[str]) -> str:
    if any(findings.steady_of(name) for name in names):
        return "every contender lost, failed or refused tasks."
    if any(trial.mode is Mode.STEADY and trial.contender in names for trial in findings.left_out):
        return "every trial was left out."
    return f"not measured in this run; use {code('kit bench --quick')}."


def _uncapitalized(text: str) -> str:
    return text[:1].lower() + text[1:]


_RECOMMEND: Mapping[Question, Callable[[Findings], Sequence[str]]] = {
    Question.RUNS_IN: _where,
    Question.LEARNS_BY: _how,
}
