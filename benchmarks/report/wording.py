"""The answer in three sentences: made from the numbers."""

from collections.abc import Mapping, Sequence

from benchmarks.analysis.findings import Findings
from benchmarks.analysis.measures import Measure
from benchmarks.records.run import ContenderRecord, Mode
from benchmarks.report.document import code, listed
from benchmarks.report.formatting import duration, estimate, whole
from benchmarks.report.question_groups import About, of_question
from benchmarks.report.ranking import Ranking, ranking, sound, troubles
from patterns.contract.descriptor import Fault, Question

_WEB_FAULTS = (Fault.WEB_KILL, Fault.WEB_STOP)


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


def beside(findings: Findings, asked: Question) -> str:
    """What a recommendation leaves open: how they compare end to end, and who was not considered."""
    names = of_question(findings, asked)
    candidates = sound(findings, names)
    out = [name for name in names if findings.steady_of(name) and name not in candidates]
    said = [_in_short(ranking(findings, candidates, Measure.END_TO_END))] if len(candidates) > 1 else []
    if out:
        said.append(f"not considered: {listed([blame(findings, name) for name in out])}")
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


def ranked(found: Ranking) -> str:
    """A ranking in words: who leads, who ties, who is behind by how much."""
    names, medians = found.names, found.medians
    if len(names) == 1:
        only = f"only {code(names[0])} was measured ({estimate(medians[names[0]])})"
        return f"{only}, so there is nothing to compare it with"
    if not found.known and not found.one_round:
        return f"this run is too short to tell {_with_medians(found, names)} apart"
    if found.undecided:
        return f"{_with_medians(found, names)} are {found.tie}"
    if not found.best:
        return _behind(found)
    if len(found.best) > 1:
        return f"{_with_medians(found, found.best)} are {found.tie}; {_behind(found)}"
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
    if found.undecided:
        return f"end to end, all are {found.tie}"
    if len(found.best) > 1:
        return f"end to end, {listed([code(name) for name in found.best])} lead, and are {found.tie}"
    if not found.leads:
        return ""
    closest = min((step.seconds for step in found.behind), key=lambda seconds: seconds.value)
    return f"end to end, {code(found.best[0])} is the quickest, by at least {estimate(closest)}"


def _with_medians(found: Ranking, names: tuple[str, ...]) -> str:
    return listed([f"{code(name)} ({duration(found.medians[name].value)})" for name in names])


def blame(findings: Findings, name: str) -> str:
    """What went wrong with the tasks of a contender."""
    steady = findings.steady_of(name)
    if steady is None:
        return code(name)
    return f"{code(name)}: {listed(troubles(steady.tally))} of {whole(steady.tally.offered)} tasks"


def _codes(contenders: list[ContenderRecord]) -> str:
    return listed([code(one.name) for one in contenders])


def _all(contenders: list[ContenderRecord]) -> str:
    return f"all that took part: {_codes(contenders)}" if len(contenders) > 1 else _codes(contenders)


def _verb(contenders: list[ContenderRecord], one: str, several: str) -> str:
    return one if len(contenders) == 1 else several


def _sentence(text: str) -> str:
    return text and f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"
