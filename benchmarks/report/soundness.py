"""Which contenders may be recommended: those whose tasks were all accepted and completed, exactly once."""

from collections.abc import Sequence

from benchmarks.analysis.findings import Findings
from benchmarks.analysis.metrics import Tally
from benchmarks.records.run import Mode
from benchmarks.report.document import code, listed
from benchmarks.report.formatting import integer

#: The failures of a task that are the server's fault, and how each is reported.
_FAILURES = {
    "lost": "lost",
    "failed": "failed",
    "errors": "answered with an error",
    "refused": "refused",
    "twice": "accepted or delivered twice",
}


def failures(tally: Tally) -> list[str]:
    """The failures without an injected fault, such as `3 lost`."""
    counts = {words: getattr(tally, name) for name, words in _FAILURES.items()}
    return [f"{count:,} {words}" for words, count in counts.items() if count]


def failures_in_words(findings: Findings, name: str) -> str:
    """A contender's failures: `webhook: 5 lost of 960 tasks`."""
    steady = findings.steady_of(name)
    if steady is None:
        return code(name)
    return f"{code(name)}: {listed(failures(steady.tally))} of {integer(steady.tally.offered)} tasks"


def sound(findings: Findings, names: Sequence[str]) -> tuple[str, ...]:
    """Those measured at the steady rate without a failure: only these are ever recommended."""
    steady = [findings.steady_of(name) for name in names]
    return tuple(each.contender for each in steady if each and not failures(each.tally))


def usable(findings: Findings, names: Sequence[str]) -> list[str]:
    """All but those with failures at the steady rate; a contender that was not measured there stays."""
    bad = {steady.contender for steady in findings.steady} - set(sound(findings, names))
    return [name for name in names if name not in bad]


def without_metrics(findings: Findings, names: Sequence[str]) -> tuple[str, ...]:
    """Those whose trials at the steady rate were all left out. One of them may be the best, so no other has won."""
    tried = {trial.contender for trial in findings.left_out if trial.mode is Mode.STEADY}
    return tuple(name for name in names if name in tried and findings.steady_of(name) is None)
