"""The caveats of a run: why its numbers may be less reliable than they look."""

from benchmarks.analysis.findings import Findings, MachineLoad
from benchmarks.analysis.margin import SECONDS, SHARE
from benchmarks.report.document import code, listed
from benchmarks.report.formatting import duration, integer, percent
from benchmarks.report.ranking import TOO_CLOSE
from benchmarks.report.soundness import failures, failures_in_words

#: As a share of all cores.
_MENTIONED_STEAL = 0.02


def notices(findings: Findings) -> list[str]:
    """The caveats, the most important first."""
    texts = list(filter(None, [busy(findings), _left_out(findings)]))
    if not findings.record.complete:
        texts.append("The run was interrupted: these are the trials up to that point.")
    for steady in findings.steady:
        if failures(steady.tally):
            texts.append(
                f"{failures_in_words(findings, steady.contender)}, although no fault was injected. Its latencies cover "
                f"only the tasks that finished, and it is never recommended."
            )
        if steady.tally.dropped or steady.tally.interrupted:
            texts.append(
                f"{code(steady.contender)}: {integer(steady.tally.dropped)} tasks were not sent in time and "
                f"{integer(steady.tally.interrupted)} were interrupted. No latency includes them."
            )
    texts += [
        f"{code(overload.contender)} lost {integer(overload.lost)} tasks under overload."
        for overload in findings.overload
        if overload.lost
    ]
    return texts + list(findings.warnings)


def single_round(findings: Findings) -> str:
    """What a single round can show, if there was only one: the rule in `benchmarks.analysis.margin`, in words."""
    if not findings.differences or not all(difference.one_round for difference in findings.differences):
        return ""
    return (
        f"With a single round, a winner is named only if the medians differ by more than {duration(SECONDS)}, more "
        f"than {percent(SHARE)} of the smaller median, and more than three times the null contender's spread. Anything "
        f"less is {TOO_CLOSE}: run more rounds with `kit bench --rounds 5`."
    )


def busy(findings: Findings) -> str:
    """The warning that other programs affected the latencies; empty if they did not."""
    machine, parts = findings.machine, []
    if machine.was_shared and machine.cores:
        cores = f"{machine.cores} {'core' if machine.cores == 1 else 'cores'}"
        parts.append(
            f"other programs used {machine.others:.1f} of {cores} ({machine.worst:.1f} during {code(machine.during)})"
        )
        if machine.steal > _MENTIONED_STEAL * machine.cores:
            parts.append(f"the hypervisor gave {machine.steal:.1f} cores to other virtual machines")
    if parts or machine.was_slow:
        parts += _null_took(machine)
        return f"The machine was busy: {listed(parts)}. Latencies are inflated: repeat the run on an idle machine."
    return ""


def _left_out(findings: Findings) -> str:
    left_out, trials = findings.left_out, findings.trials
    if not left_out:
        return ""
    if len(left_out) >= trials:
        every = "The only trial was" if trials == 1 else f"All {integer(trials)} trials were"
        return f"{every} left out: this run has no valid measurement."
    count = f"{integer(len(left_out))} of {integer(trials)} trials"
    if len(left_out) == 1:
        why = "; ".join(left_out[0].reasons) or "no reason was given"
        return f"{count} was left out: {code(left_out[0].contender)} ({why})."
    names = listed([code(name) for name in dict.fromkeys(trial.contender for trial in left_out)])
    return f"{count} were left out, of {names}: see section 8 of the report."


def _null_took(machine: MachineLoad) -> list[str]:
    if machine.null is None:
        return []
    took = f"{duration(machine.null.p50.value)} (p95 {duration(machine.null.p95.value)})"
    return [f"a submit to the null contender, which does no work, took {took}"]
