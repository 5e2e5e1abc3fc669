"""HTML, Markdown and the terminal show the numbers of the findings, each in its own column."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.analysis.findings import Findings
from benchmarks.analysis.measures import MEASURE_TITLES, Measure
from benchmarks.report.contents import run_document
from benchmarks.report.document import Plots, Table
from tests.benchmarks import findings_cases as cases
from tests.benchmarks.findings_factory import RECORD
from tests.benchmarks.rendered import html_report, markdown_report
from tests.benchmarks.rendered import terminal_report as terminal
from tests.benchmarks.table_readers import Shown, interval, number, tables_of_html, tables_of_markdown

#: Numbers are rounded to two or more significant digits.
ROUNDED = pytest.approx


def near(value: float) -> object:
    """Equal except for rounding; two percentiles of a contender are further apart."""
    return ROUNDED(value, rel=0.06, abs=1e-9)


READERS: dict[str, Callable[[Findings], list[Shown]]] = {
    "html": lambda findings: tables_of_html(html_report(findings)),
    "markdown": lambda findings: tables_of_markdown(markdown_report(findings)),
}


@pytest.fixture(scope="module", params=READERS)
def shown(request: pytest.FixtureRequest) -> list[Shown]:
    """The tables of a full run."""
    return READERS[request.param](cases.full())


def row(tables: list[Shown], caption: str, contender: str) -> dict[str, str]:
    """The row of a contender, which is the same in every table with this caption."""
    rows = [t.of(contender) for t in tables if t.caption.startswith(caption) and contender in [r[0] for r in t.rows]]
    assert rows, f"{contender} is in no table {caption!r}"
    assert all(cells == rows[0] for cells in rows)
    return rows[0]


def test_each_percentile_is_in_its_own_column_with_its_own_interval(shown: list[Shown]) -> None:
    for steady in cases.full().steady:
        for measure, spread in steady.spreads.items():
            cells = row(shown, f"{MEASURE_TITLES[measure].capitalize()}: ", steady.contender)
            for name, estimate in (("p50", spread.p50), ("p95", spread.p95), ("p99", spread.p99)):
                assert number(cells[name]) == near(estimate.value), f"{steady.contender} {measure} {name}"
                assert interval(cells[name]) == (near(estimate.low or 0), near(estimate.high or 0))
            assert number(cells["max"]) == near(spread.longest)


def test_p95_is_never_shown_as_p99(shown: list[Shown]) -> None:
    """Other benchmarks have had this bug: with the two far apart, each must be in its own column only."""
    for table in shown:
        if "p95" in table.columns and "p99" in table.columns:
            for cells in (dict(zip(table.columns, cells, strict=True)) for cells in table.rows):
                assert number(cells["p95"]) < 0.9 * number(cells["p99"]) < number(cells["max"])


def test_the_stages_and_their_sum_are_those_of_the_findings(shown: list[Shown]) -> None:
    for steady in cases.full().steady:
        cells = row(shown, "Mean time of each stage", steady.contender)
        for measure, mean in steady.stages.items():
            assert number(cells[MEASURE_TITLES[measure]]) == near(mean)
        assert number(cells["sum"]) == near(sum(steady.stages.values()))


def test_the_cost_of_a_task_is_shown_by_role(shown: list[Shown]) -> None:
    for steady in cases.full().steady:
        assert number(row(shown, "Requests per task", steady.contender)["requests"]) == near(
            steady.requests_per_task or 0
        )
        for usage in steady.usage:
            cpu = row(shown, "CPU time per task", steady.contender)[usage.role]
            memory = row(shown, "Peak memory", steady.contender)[usage.role]
            assert (number(cpu), number(memory)) == (near(usage.cpu_seconds_per_task), near(usage.peak_memory_bytes))
    for soak in cases.full().soak:
        cells = row(shown, "Memory per task", soak.contender)
        assert number(cells["web server"]) == near(soak.bytes_per_task["web server"])


def test_the_sweep_the_burst_and_the_overload_are_those_of_the_findings(shown: list[Shown]) -> None:
    findings = cases.full()
    for sweep in findings.sweep:
        cells = row(shown, "Knee and bound", sweep.contender)
        assert (number(cells["knee"]), number(cells["within bound up to"])) == (sweep.knee, sweep.within_bound)
        points = next(t for t in shown if t.caption == "At each rate" and t.heading == sweep.contender)
        for point, cell in zip(sweep.points, points.rows, strict=True):
            assert [number(text) for text in cell] == [
                near(value) for value in (point.rate, point.achieved, point.p99, point.submit_p99, point.not_done)
            ]
    for burst in findings.burst:
        cells = row(shown, "A burst", burst.contender)
        assert number(cells["50 % done"]) == near(burst.to_half or 0)
        assert number(cells["95 % done"]) == near(burst.to_most or 0)
        assert cells["all done"] == "never" if burst.to_all is None else number(cells["all done"]) == near(burst.to_all)
        assert number(cells["not completed"]) == burst.not_done
    for overload in findings.overload:
        cells = row(shown, "An overload", overload.contender)
        assert number(cells["goodput"]) == near(overload.goodput)
        assert number(cells["refused"]) == near(overload.refused)
        assert cells["recovered in"] == "never" if overload.recovery is None else number(cells["recovered in"])


def test_each_difference_is_shown_with_its_interval_and_what_it_means(shown: list[Shown]) -> None:
    findings = cases.full()
    titles = {f"Differences of medians: {MEASURE_TITLES[m]}": m for m in Measure}
    cells_by_table = [(table, cells) for table in shown if table.caption in titles for cells in table.rows]
    assert len(cells_by_table) == 3 * (6 + 3)  # three measures; the pairs of four, and of three
    for table, (first, second, seconds, meaning) in cells_by_table:
        difference = findings.difference(titles[table.caption], first, second)
        assert difference is not None
        value, low, high = (
            1000 * (end or 0) for end in (difference.seconds.value, difference.seconds.low, difference.seconds.high)
        )
        assert 1000 * number(seconds) == ROUNDED(value, abs=0.06)
        assert [1000 * end for end in interval(seconds)] == [ROUNDED(low, abs=0.06), ROUNDED(high, abs=0.06)]
        assert meaning == ("tie" if difference.tie else f"{first if value < 0 else second} is faster")


def test_html_and_markdown_have_the_same_tables_cell_by_cell() -> None:
    for case in cases.ALL.values():
        html, markdown = (read(case()) for read in READERS.values())
        assert [(t.caption, t.heading, t.columns, t.rows) for t in html] == [
            (t.caption, t.heading, t.columns, t.rows) for t in markdown
        ]


@pytest.mark.parametrize("case", cases.ALL.values(), ids=cases.ALL)
def test_a_wide_terminal_shows_every_row_of_every_unfolded_table(case: Callable[[], Findings]) -> None:
    lines = [re.split(r"\s{2,}", line.strip()) for line in terminal(case(), 300).splitlines()]
    sections = [section for section in run_document(case()).sections if not section.folded]
    blocks = [block for section in sections for block in section.blocks]
    tables = [block for block in blocks if isinstance(block, Table)]
    tables += [table for block in blocks if isinstance(block, Plots) for table in block.tables]
    for table in tables:
        if not table.folded and not table.sentences:
            for rows in table.groups:
                for cells in rows.rows:
                    assert [cell.text.replace("`", "") for cell in cells if cell.text] in lines


@pytest.mark.parametrize("case", cases.ALL.values(), ids=cases.ALL)
def test_at_80_columns_no_line_is_wider_and_no_name_or_number_is_cut(case: Callable[[], Findings]) -> None:
    narrow, wide = terminal(case()), terminal(case(), 300)
    assert max(map(len, narrow.splitlines())) <= 80
    assert sorted(narrow.split()) == sorted(wide.split())


def test_names_and_reasons_are_escaped_in_every_format() -> None:
    evil = 'q|<script>alert(1)</script>[bold]"*_`'
    findings = cases.full()
    contenders = tuple(
        replace(contender, name=evil) if contender.name == "arq_queue" else contender
        for contender in findings.contenders
    )
    steady = tuple(
        replace(steady, contender=evil) if steady.contender == "arq_queue" else steady for steady in findings.steady
    )
    sweep = tuple(
        replace(sweep, contender=evil) if sweep.contender == "arq_queue" else sweep for sweep in findings.sweep
    )
    left = (replace(findings.left_out[0], contender=evil, reasons=("</script><b>|[red]x[/red]\nnext",)),)
    bad = replace(findings, contenders=contenders, steady=steady, sweep=sweep, left_out=left, warnings=(evil,))
    shown_name = evil.replace("`", "'")
    html, markdown, text = html_report(bad), markdown_report(bad), terminal(bad, 200)
    assert html.count("<script") == html.count("</script>") == html.count("<script>") + html.count('<script type="app')
    assert "<script>alert" not in html
    assert "<b>" not in html
    assert row(tables_of_html(html), "Task outcomes", shown_name)["offered"] == "960"
    assert row(tables_of_markdown(markdown), "Task outcomes", shown_name)["offered"] == "960"
    assert "<script" not in re.sub("`[^`]*`", "", re.sub(r"\\.", "", markdown))
    assert shown_name in text
    assert "[red]x[/red]" in text
    specs = re.findall(r'<script type="application/json">(.*?)</script>', html)
    assert any(evil in json.dumps(json.loads(spec), ensure_ascii=False).replace('\\"', '"') for spec in specs)


def test_the_file_is_complete_small_enough_and_has_no_url_outside_of_the_plotting_library() -> None:
    html = html_report(cases.full())
    assert len(html.encode()) < 6_000_000
    ours = re.sub(r"<script>/\*\*\s*\* plotly\.js.*?</script>", "", html, flags=re.DOTALL)
    assert len(ours) < 250_000
    assert not re.findall(r"(?:https?:)?//[a-z]|(?<![\w-])(?:src|href)=\"(?!#)|@import|url\(", ours)


def test_no_plot_has_more_than_five_lines_and_each_has_words_and_numbers() -> None:
    blocks = [
        block for section in run_document(cases.full()).sections for block in section.blocks if isinstance(block, Plots)
    ]
    assert blocks
    for block in blocks:
        assert block.tables
        for plot in block.plots:
            assert len(plot.data) <= 5
            assert re.search(r"\d", plot.alternative)


_PARTS = ("steady", "differences", "sweep", "burst", "overload", "soak", "left_out", "instrument", "contenders")


@pytest.mark.parametrize("part", _PARTS)
@pytest.mark.parametrize("others", [True, False], ids=["all but it", "nothing but it"])
def test_a_report_can_be_created_from_any_part_of_a_run(part: str, others: bool) -> None:
    absent = [name for name in _PARTS if (name == part) is others and (others or name != "contenders")]
    without: dict[str, Any] = dict.fromkeys(absent, ())
    findings = replace(cases.full(), **without)
    html = tables_of_html(html_report(findings))
    assert [t.rows for t in html] == [t.rows for t in tables_of_markdown(markdown_report(findings))]
    assert "The answer" in terminal(findings)


def test_a_missing_value_is_a_dash() -> None:
    findings = cases.full()
    unknown = float("inf")
    bare = [replace(s, spreads={}, stages={}, usage=(), requests_per_task=None) for s in findings.steady]
    points = [replace(p, p99=unknown, submit_p99=float("nan")) for p in findings.sweep[0].points]
    sweeps = (replace(findings.sweep[0], points=tuple(points), knee=None, within_bound=None), *findings.sweep[1:])
    flood = replace(findings.overload[0], capacity=0.0, completed=(), recovery=None, lost=3)
    odd = replace(
        findings,
        steady=tuple(bare),
        sweep=sweeps,
        overload=(flood,),
        record=replace(RECORD, host={}, began="then"),
    )
    tables = tables_of_html(html_report(odd))
    assert row(tables, "Mean time", "polling")["sum"] == "\u2013"
    assert row(tables, "Requests per task", "polling")["requests"] == "\u2013"
    assert row(tables, "Knee and bound", "background_tasks")["knee"] == "at no rate"
    assert next(t for t in tables if t.heading == "background_tasks").rows[0][2:4] == ["\u2013", "\u2013"]
    assert "NaN" not in html_report(odd).partition("<script>/**")[0]
    assert "lost 3 tasks under overload" in markdown_report(odd)
