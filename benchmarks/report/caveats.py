"""What makes the figures of a run worth less than they look."""

from benchmarks.analysis.findings import Findings
from benchmarks.analysis.margin import SECONDS, SHARE
from benchmarks.report.document import code, listed
from benchmarks.report.formatting import duration, percent, whole
from benchmarks.report.ranking import TOO_CLOSE, troubles
from benchmarks.report.wording import blame

#: As a share of all cores.
_MENTIONED_STEAL = 0.02


def notices(findings: Findings) -> list[str]:
    """What makes the figures worth less than they look, before anything else."""
    said = list(filter(None, [busy(findings)]))
    if findings.left_out and len(findings.left_out) >= findings.trials:
        every = "The only trial was" if findings.trials == 1 else f"All {whole(findings.trials)} trials were"
        said.append(f"{every} left out: this run measured nothing that counts.")
    elif findings.left_out:
        said.append(_left_out(findings))
    if not findings.record.complete:
        said.append("The run was stopped before its end: these are the figures of what was measured so far.")
    for one in findings.steady:
        if troubles(one.tally):
            said.append(
                f"{blame(findings, one.contender)}, and nothing was killed. Its times are those of the tasks that "
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


def _left_out(findings: Findings) -> str:
    left = findings.left_out
    of = f"{whole(len(left))} of {whole(findings.trials)} trials"
    if len(left) == 1:
        why = "; ".join(left[0].reasons) or "no reason was given"
        return f"{of} was left out: {code(left[0].contender)} ({why})."
    names = listed([code(name) for name in dict.fromkeys(one.contender for one in left)])
    return f"{of} were left out: those of {names}. Section 8 of the page says why."


def single_round(findings: Findings) -> str:
    """What a single round can tell, if there was only one; the rule of `benchmarks.analysis.margin` in words."""
    if not findings.differences or not all(one.one_round for one in findings.differences):
        return ""
    return (
        f"A single round names a winner only if the medians differ by more than {duration(SECONDS)}, by more than "
        f"{percent(SHARE)} of the smaller one, and by more than three times the null contender's own spread. Anything "
        f"less is {TOO_CLOSE}: measure more rounds with `kit bench --rounds 5`."
    )


def busy(findings: Findings) -> str:
    """What makes all times partly those of other programs, if anything does."""
    machine, parts = findings.machine, []
    if machine.was_shared and machine.cores:
        cores = f"{machine.cores} {'core' if machine.cores == 1 else 'cores'}"
        parts.append(
            f"other programs used {machine.others:.1f} of the {cores} while trials ran "
            f"({machine.worst:.1f} during {code(machine.during)})"
        )
        if machine.steal > _MENTIONED_STEAL * machine.cores:
            parts.append(f"the hypervisor gave {machine.steal:.1f} cores to other virtual machines")
    if parts or machine.was_slow:
        parts += _null_took(findings)
        return f"The machine was busy: {listed(parts)}. Times are partly theirs: run it again on an idle machine."
    return ""


def _null_took(findings: Findings) -> list[str]:
    null = findings.machine.null
    if null is None:
        return []
    took = f"{duration(null.p50.value)} (p95 {duration(null.p95.value)})"
    return [f"the null contender, which does no work, took {took} to answer submit"]
