"""Which contenders were measured, what the words mean, and what the numbers do not show."""

import math

from benchmarks.analysis.findings import Findings
from benchmarks.records.run import ContenderRecord
from benchmarks.report.document import Cell, Point, Points, Section, Table, code, listed
from benchmarks.report.formatting import whole
from benchmarks.report.question_groups import contender_rows


def reading(findings: Findings) -> Section:
    """How to read it."""
    return Section("reading", "How to read it", [_who(findings), Points(_points(findings))], folded=True)


def _who(findings: Findings) -> Table:
    def row(contender: ContenderRecord) -> list[Cell]:
        texts = (code(contender.name), contender.summary, contender.runs_in, contender.learns_by)
        return [Cell(text) for text in texts]

    columns = ("contender", "what it is", "the work runs", "the client learns by")
    return Table("Who was measured", columns, contender_rows(findings, row), frozenset(range(4)))


def _points(findings: Findings) -> list[Point]:
    points = [
        Point(
            "Two questions.",
            "Where the work runs, and how the client learns the outcome. Each pattern varies one of them, so a "
            "difference has one cause. `in_memory_queue` is the baseline of both. Rows under different headings "
            "answer different questions: do not rank them together.",
        ),
        Point(
            "An open loop.",
            "Tasks are sent at their moments, whatever became of those before. Times count from the moment at which "
            "a task should have been sent, so a stall is paid by all whom it delays.",
        ),
        Point("Intervals.", "`12 ms (11\u201314)`: the true value lies between 11 and 14 with a confidence of 95 %."),
        Point(
            "Ties.",
            "Two are a tie when the interval of their difference includes zero, or is not known. Then neither is "
            "faster: choose by durability, or by cost. With a single round, a lead that is too "
            "small to matter is too close to call as well.",
        ),
        Point(
            "Percentiles.",
            f"A percentile is a time that was measured (nearest rank), never one in between.{_tail(findings)}",
        ),
        Point(
            "What it does not say.",
            "The agent is a scale model, and clients, servers and load share one machine. Compare the contenders with "
            "each other; do not take the times for those of your hosts.",
        ),
    ]
    nulls = [code(contender.name) for contender in findings.contenders if contender.kind == "null"]
    if nulls:
        text = f"{listed(nulls)} does no work: what it shows is the harness's own part in every metric."
        points.append(Point("The null contender.", text))
    return points


def _tail(findings: Findings) -> str:
    fewest = min((spread.count for steady in findings.steady for spread in steady.spreads.values()), default=0)
    if not fewest:
        return ""
    beyond = fewest - math.ceil(99 * fewest / 100)
    if beyond == 0:
        return f" With {whole(fewest)} tasks p99 is the longest: one hiccup of the machine moves it."
    return f" With {whole(fewest)} tasks {whole(beyond)} lie beyond p99."
