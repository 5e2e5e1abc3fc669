"""The answer in three sentences, what must not be overlooked, and how to read it: made from the numbers."""

from collections.abc import Mapping, Sequence

from benchmarks.analysis.findings import Findings, Measure
from benchmarks.reporting.groups import About, of_question
from benchmarks.reporting.numbers import duration, estimate, whole
from benchmarks.reporting.page import Point, code, listed
from benchmarks.reporting.verdicts import Ranking, ranking, sound, troubles
from benchmarks.run_record import Contender, Mode
from patterns.descriptor import Fault, Question

_MEASURED = {
    Measure.SUBMIT_LATENCY: "until submit is answered",
    Measure.NOTIFICATION_LAG: "from finished until known",
    Measure.END_TO_END: "end to end",
}
_WEB_FAULTS = (Fault.WEB_KILL, Fault.WEB_STOP)


def answers(findings: Findings) -> list[Point]:
    """Three sentences: what each loses, where the work runs, how the client learns the outcome."""
    return [
        Point("What a crash costs.", durability(findings)),
        Point("Where the work runs.", question(findings, Question.RUNS_IN, Measure.SUBMIT_LATENCY)),
        Point("How the client learns the outcome.", question(findings, Question.LEARNS_BY, Measure.NOTIFICATION_LAG)),
    ]


def durability(findings: Findings) -> str:
    """Who keeps an accepted task when the web process goes. Where that is declared and not measured, it is said so."""
    how = _how_known(findings)
    candidates = [one for one in findings.contenders if one.kind != "null"]
    keeping = [one for one in candidates if not any(fault in one.loses_on for fault in _WEB_FAULTS)]
    losing = [one for one in candidates if one not in keeping]
    if not candidates:
        return "No candidate took part in this run."
    if not keeping:
        return f"A killed or stopped web process loses accepted tasks of {_all(losing)} ({how})."
    kept = (
        f"{_codes(keeping)} {_verb(keeping, 'keeps', 'keep')} accepted tasks when the web process is killed or stopped"
    )
    also = [
        f"{code(one.name)} loses them on {listed([code(fault) for fault in one.loses_on])}"
        for one in keeping
        if one.loses_on
    ]
    parts = [kept, *([f"{_codes(losing)} {_verb(losing, 'loses', 'lose')} them"] if losing else []), *also]
    return f"{'; '.join(parts)} ({how})."


def _how_known(findings: Findings) -> str:
    broken = {(cell.contender, cell.fault) for cell in findings.faults if not cell.trouble}
    wanted = {(one.name, fault.value) for one in findings.contenders if one.kind in {"pattern", "contender"}
              for fault in (*_WEB_FAULTS, *map(Fault, one.loses_on))}  # fmt: skip
    return "measured here: section 3" if wanted <= broken else "declared, not measured here"


def question(findings: Findings, asked: Question, measure: Measure) -> str:
    """Who answers one of the two questions best, by one measure, and what end to end says of it."""
    names = of_question(findings, asked)
    if not names:
        return "No contender that answers this question took part."
    measured = [name for name in names if findings.steady_of(name)]
    if not measured:
        return f"No figure here: {missing(findings, Mode.STEADY)}"
    candidates = sound(findings, names)
    out = [name for name in measured if name not in candidates]
    said = [_by(ranking(findings, candidates, measure), measure)] if candidates else []
    if len(candidates) > 1:
        said.append(_in_short(ranking(findings, candidates, Measure.END_TO_END)))
    if out:
        said.append(f"not considered: {listed([_blame(findings, name) for name in out])}")
    return _sentence("; ".join(filter(None, said)))


def missing(findings: Findings, mode: Mode) -> str:
    """Why a section has no numbers, and how to get them."""
    count = sum(1 for one in findings.left_out if one.mode is mode)
    if count:
        return f"all {mode.value} trials ({whole(count)}) were left out; section 8 says why."
    return f"not measured in this run. Get it with `kit bench --mode {mode.value}`."


def found_in(findings: Findings, mode: Mode) -> Sequence[About]:
    """What was found in one mode."""
    found: Mapping[Mode, Sequence[About]] = {
        Mode.STEADY: findings.steady,
        Mode.SWEEP: findings.sweep,
        Mode.BURST: findings.burst,
        Mode.OVERLOAD: findings.overload,
        Mode.SOAK: findings.soak,
    }
    return found[mode]


def was_run(findings: Findings, mode: Mode) -> bool:
    """Whether it was tried, whatever came of it."""
    return bool(found_in(findings, mode)) or any(one.mode is mode for one in findings.left_out)


def notices(findings: Findings) -> list[str]:
    """What makes the figures worth less than they look, before anything else."""
    said = []
    if findings.left_out and len(findings.left_out) >= findings.trials:
        said.append(f"All {whole(findings.trials)} trials were left out: this run measured nothing that counts.")
    elif findings.left_out:
        left = len(findings.left_out)
        said.append(
            f"{whole(left)} of {whole(findings.trials)} trials {'was' if left == 1 else 'were'} left out. "
            f"Section 8 says why."
        )
    if not findings.record.complete:
        said.append("The run was stopped before its end: this is what was measured so far.")
    for one in findings.steady:
        if troubles(one.tally):
            said.append(
                f"{_blame(findings, one.contender)}, and nothing was killed. Its times are those of the tasks that "
                f"were done, and it is not recommended for anything."
            )
        if one.tally.dropped or one.tally.interrupted:
            said.append(
                f"{code(one.contender)}: {whole(one.tally.dropped)} tasks were not sent in time and "
                f"{whole(one.tally.interrupted)} were cut off by the end of the run. They are in no time below."
            )
    said += [
        f"{code(one.contender)} lost {whole(one.lost)} tasks under overload." for one in findings.overload if one.lost
    ]
    return said + list(findings.warnings)


def too_short(findings: Findings) -> bool:
    """Whether no two contenders can be told apart, because no interval is known: a quick run."""
    bounds = [(one.seconds.low, one.seconds.high) for one in findings.differences]
    return bool(findings.steady) and all(low is None or high is None for low, high in bounds)


def ranked(found: Ranking) -> str:
    """A ranking in words: who leads, who ties, who is behind by how much."""
    names, medians = found.names, found.medians
    if len(names) == 1:
        only = f"only {code(names[0])} was measured ({estimate(medians[names[0]])})"
        return f"{only}, so there is nothing to compare it with"
    if not found.known:
        return f"this run is too short to tell {_with_medians(found, names)} apart"
    if len(found.best) == len(names):
        return f"{_with_medians(found, names)} are a tie"
    if not found.best:
        return _behind(found)
    if len(found.best) > 1:
        return f"{_with_medians(found, found.best)} are a tie; {_behind(found)}"
    first = found.best[0]
    lead = "is the quickest" if found.leads else "is beaten by nobody"
    return f"{code(first)} {lead}, {estimate(medians[first])}; {_behind(found)}"


def _behind(found: Ranking) -> str:
    """`b` takes 3 ms longer than `a`, and `c` 5 ms; named apart when they are behind different ones."""
    said = []
    for ahead in dict.fromkeys(step.ahead for step in found.behind):
        steps = [step for step in found.behind if step.ahead == ahead]
        first, *others = [f"{code(step.name)} takes {estimate(step.seconds)}" for step in steps]
        more = [text.replace(" takes", "", 1) for text in others]
        said.append(f"{listed([f'{first} longer than {code(ahead)}', *more])}")
    return "; ".join(said)


def _in_short(found: Ranking) -> str:
    """The same of end to end, in a few words: the table has the rest."""
    if not found.known or len(found.names) < 2:
        return ""
    if len(found.best) == len(found.names):
        return "end to end, all are a tie"
    if len(found.best) > 1:
        return f"end to end, {listed([code(name) for name in found.best])} are a tie, and lead"
    if not found.leads:
        return ""
    closest = min((step.seconds for step in found.behind), key=lambda seconds: seconds.value)
    return f"end to end, {code(found.best[0])} is the quickest, by at least {estimate(closest)}"


def _by(found: Ranking, measure: Measure) -> str:
    if not found.names:
        return ""
    return f"{_MEASURED[measure]} (median), {ranked(found)}"


def _with_medians(found: Ranking, names: tuple[str, ...]) -> str:
    return listed([f"{code(name)} ({duration(found.medians[name].value)})" for name in names])


def _blame(findings: Findings, name: str) -> str:
    steady = findings.steady_of(name)
    if steady is None:
        return code(name)
    return f"{code(name)}: {listed(troubles(steady.tally))} of {whole(steady.tally.offered)} tasks"


def _codes(contenders: list[Contender]) -> str:
    return listed([code(one.name) for one in contenders])


def _all(contenders: list[Contender]) -> str:
    return f"all that took part: {_codes(contenders)}" if len(contenders) > 1 else _codes(contenders)


def _verb(contenders: list[Contender], one: str, several: str) -> str:
    return one if len(contenders) == 1 else several


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"
