"""`kit bench growth`: the report of synthetic results, and a small real run."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.analysis.analyse_growth import analyse_growth, soak_result
from benchmarks.records.growth import (
    Action,
    Axis,
    Expiry,
    GrowthFolder,
    GrowthRecord,
    MemoryReading,
    Pair,
)
from benchmarks.records.run import RunError, RunFolder
from benchmarks.report.contents import growth_document, run_document
from benchmarks.report.publish import publish_growth
from benchmarks.report.to_html import html
from benchmarks.report.to_markdown import markdown
from benchmarks.report.to_terminal import print_document
from benchmarks.scale.growth.measurement import GrowthMeasurement
from benchmarks.scale.growth.sizes import Sizes
from benchmarks.scale.growth.soak import soak
from tests.benchmarks.findings_cases import full
from tests.benchmarks.growth_factory import SIZES, SMALL, a_soak, pairs


def complete_run() -> tuple[GrowthRecord, list[Pair]]:
    """A run with every kind of result."""
    record = GrowthRecord(
        began="2026-11-25T07:00:00+00:00",
        host={"cores": 2, "processor": "a fast one"},
        small=SMALL,
        weights=(
            MemoryReading("mine", Axis.RECORDS, 1_000, "web server", 1),
            MemoryReading("mine", Axis.RECORDS, 2_000, "web server", 2),
        ),
        expiries=(Expiry("mine", 1_000_000, 500, 0.004, 0.9, 600_000_000, 50_000_000),),
        soaks=(a_soak(660.0, left=1),),
    )
    ratios = {10_000: 1.2, 100_000: 1.4, 1_000_000: 1.6}
    return record, [*pairs(dict.fromkeys(SIZES, 1.0), Action.SUBMIT), *pairs(ratios)]


def test_a_folder_is_read_as_it_was_written_and_an_empty_one_is_refused(tmp_path: Path) -> None:
    record, measured = complete_run()
    folder = GrowthFolder(tmp_path)
    folder.write(record, measured)

    again, rows = folder.read()

    assert again == record
    assert [(row.size, row.round, row.action) for row in rows] == [(p.size, p.round, p.action) for p in measured]
    assert [row.grown_seconds for row in rows] == pytest.approx([pair.grown_seconds for pair in measured], abs=1e-7)
    with pytest.raises(RunError, match="no growth results"):
        GrowthFolder(tmp_path / "elsewhere").read()


def test_the_report_says_flat_or_by_how_much_it_grows_and_plots_it(tmp_path: Path) -> None:
    record, measured = complete_run()
    GrowthFolder(tmp_path).write(record, measured)
    publish_growth(RunFolder(tmp_path))

    markdown = (tmp_path / "report.md").read_text()
    html = (tmp_path / "report.html").read_text()
    text = io.StringIO()
    print_document(Console(file=text, width=80), growth_document(analyse_growth(record, measured)))

    for report in (markdown, text.getvalue()):
        assert "flat " in report
        assert "grows +6" in report
        assert "900 ms" in report
        assert "+10 %" in report
    assert html.count('class="plot"') == 1
    assert "submit 1.0" in html
    assert all(len(line) <= 80 for line in text.getvalue().splitlines())


def test_only_a_report_with_growth_results_has_a_section_about_them() -> None:
    record, measured = complete_run()
    with_growth = replace(full(), growth=analyse_growth(record, measured))

    assert "growth" in [section.key for section in run_document(with_growth).sections]
    assert "growth" not in [section.key for section in run_document(full()).sections]
    assert "What growth costs" in html(run_document(with_growth))
    assert "What growth costs" in markdown(run_document(with_growth))


@pytest.mark.thorough
@pytest.mark.timeout(240)  # nine servers start one after the other in these two
def test_a_small_run_measures_every_axis_of_a_real_server(tmp_path: Path) -> None:
    sizes = Sizes(
        small={Axis.RECORDS: 50, Axis.WAITING: 1, Axis.LONG_POLLS: 1},
        grown={Axis.RECORDS: (500,), Axis.WAITING: (100,), Axis.LONG_POLLS: (20,)},
        expiring=(500,),
        rounds=1,
        requests=10,
    )
    growing = GrowthMeasurement("in_memory_queue", sizes, tmp_path, "", lambda _: None)
    growing.run()

    seen = {(pair.axis, pair.size, pair.action) for pair in growing.pairs}
    assert seen == {(axis, most, action) for axis, (most,) in sizes.grown.items() for action in Action}
    assert all(pair.small_seconds > 0 and pair.grown_seconds > 0 for pair in growing.pairs)
    assert {reading.size for reading in growing.weights if reading.axis is Axis.RECORDS} == {50, 500}
    [expiry] = growing.expiries
    assert expiry.records == 500
    assert expiry.grown_longest > 0


@pytest.mark.thorough
@pytest.mark.timeout(240)
def test_a_small_soak_of_real_servers_measures_memory_and_open_handles(tmp_path: Path) -> None:
    seen = soak_result(soak("in_memory_queue", 1_200, tmp_path, "", lambda _: None, parts=3))

    assert seen.tasks == 1_200
    # With so few tasks, a hash table that doubles is a large share; with 24,000 it is negligible.
    assert 300 < seen.record_bytes < 1_500
    assert abs(seen.difference) < 0.5
    assert abs(seen.expired_bytes["web server"]) < seen.record_bytes
    assert seen.handles["web server"] <= 0
    assert seen.threads["web server"] <= 0
