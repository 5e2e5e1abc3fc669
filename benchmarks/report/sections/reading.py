"""Which contenders were measured, what the terms mean, and what the numbers do not show."""

import math

from benchmarks.analysis.findings import Findings
from benchmarks.records.run import ContenderRecord
from benchmarks.report.document import Cell, Point, Points, Section, Table, code, listed
from benchmarks.report.formatting import integer
from benchmarks.report.question_groups import contender_rows


def reading(findings: Findings) -> Section:
    """How to read the report."""
    return Section(
        "reading", "How to read this report", [_contenders(findings), Points(_points(findings))], folded=True
    )


def _contenders(findings: Findings) -> Table:
    def row(contender: ContenderRecord) -> list[Cell]:
        texts = (code(contender.name), contender.summary, contender.runs_in, contender.learns_by)
        return [Cell(text) for text in texts]

    columns = ("contender", "summary", "the work runs", "the client learns by")
    return Table("The contenders", columns, contender_rows(findings, row), frozenset(range(4)))


def _points(findings: Findings) -> list[Point]:
    points = [
        Point(
            "Two questions.",
            "Where does the work run, and how does the client learn the outcome? Each pattern varies one of them, so "
            "a difference has one cause. `in_memory_queue` is the baseline of both. Rows under different headings "
            "answer different questions: do not rank them together.",
        ),
        Point(
            "Open loop.",
            "Tasks are sent on schedule, whatever happened to earlier ones. Latency counts from the intended send "
            "time, so a stall counts for every task that it delays.",
        ),
        Point(
            "Intervals.", "`12 ms (11\u201314)` is a median of 12 ms with a 95 % confidence interval of 11 to 14 ms."
        ),
        Point(
            "Ties.",
            "Two contenders are tied if the confidence interval of their difference includes zero or is unknown. "
            "Neither is faster: choose by durability or cost. With a single round, a lead too small to matter is too "
            "close to call.",
        ),
        Point(
            "Percentiles.",
            f"Every percentile is a measured value (nearest rank), never interpolated.{_tail(findings)}",
        ),
        Point(
            "Limits.",
            "The agent is a scale model, and clients and servers share one machine. Compare the contenders with each "
            "other; do not expect the same latencies on your hosts.",
        ),
    ]
    nulls = [code(contender.name) for contender in findings.contenders if contender.kind == "null"]
    if nulls:
        text = f"{listed(nulls)} does no work: its numbers are the harness overhead in every metric."
        points.append(Point("The null contender.", text))
    return points


def _tail(findings: Findings) -> str:
    fewest = min((spread.count for steady in findings.steady for spread in steady.spreads.values()), default=0)
    if not fewest:
        return ""
    beyond = fewest - math.ceil(99 * fewest / 100)
    if beyond == 0:
        return f" With {integer(fewest)} tasks, p99 is the maximum, so one hiccup of the machine moves it."
    return f" With {integer(fewest)} tasks, {integer(beyond)} lie beyond p99."
