"""A ranking in words: the fastest contender, ties, and how much longer the others take."""

from collections.abc import Sequence

from benchmarks.report.document import code, listed
from benchmarks.report.formatting import duration, estimate
from benchmarks.report.ranking import Ranking


def ranking_in_words(ranking: Ranking) -> str:
    """A sentence without its capital letter and full stop."""
    names, medians = ranking.names, ranking.medians
    if len(names) == 1:
        only = f"only {code(names[0])} was measured ({estimate(medians[names[0]])})"
        return f"{only}, so there is nothing to compare it with"
    if not ranking.known and not ranking.one_round:
        return f"this run is too short to tell the contenders apart ({median_range(ranking, names)})"
    if ranking.undecided:
        return f"the medians are {median_range(ranking, names)}"
    if not ranking.best:
        return _behind(ranking)
    if len(ranking.best) > 1:
        best = listed([f"{code(name)} ({duration(medians[name].value)})" for name in ranking.best])
        return f"{best} are {ranking.tie}; {_behind(ranking)}"
    lead = "is the fastest" if ranking.leads else "is slower than no other"
    return f"{code(ranking.best[0])} {lead}, {estimate(medians[ranking.best[0]])}; {_behind(ranking)}"


def end_to_end_in_words(ranking: Ranking) -> str:
    """The ranking by end-to-end latency in a few words; empty if there is none."""
    if not ranking.known or len(ranking.names) < 2:
        return ""
    if ranking.undecided:
        return f"end to end, all are {ranking.tie}"
    if len(ranking.best) > 1:
        return f"end to end, {listed([code(name) for name in ranking.best])} lead and are {ranking.tie}"
    if not ranking.leads:
        return ""
    closest = min((gap.seconds for gap in ranking.behind), key=lambda seconds: seconds.value)
    return f"end to end, {code(ranking.best[0])} is the fastest, by at least {estimate(closest)}"


def median_range(ranking: Ranking, names: Sequence[str]) -> str:
    """`2.0 ms` or `2.0 to 2.6 ms`: the range of the medians of `names`, which are in rising order."""
    low, high = (duration(ranking.medians[name].value) for name in (names[0], names[-1]))
    number, unit = low.split(" ")
    return low if low == high else f"{number if high.endswith(f' {unit}') else low} to {high}"


def _behind(ranking: Ranking) -> str:
    """`b takes 3 ms longer than a and c 5 ms`; one part for each contender that is ahead."""
    parts = []
    for ahead in dict.fromkeys(gap.ahead for gap in ranking.behind):
        gaps = [gap for gap in ranking.behind if gap.ahead == ahead]
        first, *others = [f"{code(gap.name)} takes {estimate(gap.seconds)}" for gap in gaps]
        parts.append(
            listed([f"{first} longer than {code(ahead)}", *(text.replace(" takes", "", 1) for text in others)])
        )
    return "; ".join(parts)
