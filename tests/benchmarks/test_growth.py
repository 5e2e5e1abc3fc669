"""What more work costs: the arithmetic with made-up figures, and one small real run."""

import io
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks.analysis.analyse_growth import analyse_growth, line_through, memory_per_item, soak_result
from benchmarks.analysis.growth_findings import GrowthFindings, GrowthLine, GrowthVerdict
from benchmarks.records.growth import (
    Action,
    Axis,
    Expiry,
    GrowthFolder,
    GrowthRecord,
    MemoryReading,
    Pair,
    SoakReading,
    SoakRecord,
)
from benchmarks.records.run import RunError, RunFolder
from benchmarks.report.contents import growth_document, run_document
from benchmarks.report.publish import publish_growth
from benchmarks.report.sections.growth_soak import MOST_DIFFERENCE
from benchmarks.report.to_html import html
from benchmarks.report.to_markdown import markdown
from benchmarks.report.to_terminal import print_document
from benchmarks.scale.growth.measurement import GrowthMeasurement
from benchmarks.scale.growth.sizes import Sizes
from benchmarks.scale.growth.soak import soak
from tests.benchmarks.findings_cases import full as some_findings

SIZES = (10_000, 100_000, 1_000_000)
SMALL = {"records": 1_000, "waiting": 1, "long_polls": 1}


def pairs(times_as_long: dict[int, float], action: Action = Action.STATUS, noise: float = 0.1) -> list[Pair]:
    """Pairs of requests in which the grown server takes so many times as long, each with some noise."""
    chance = random.Random(7)
    return [
        Pair(
            "mine", Axis.RECORDS, size, turn, action,
            small_seconds=0.001 * chance.lognormvariate(0, noise),
            grown_seconds=0.001 * ratio * chance.lognormvariate(0, noise),
        )
        for size, ratio in times_as_long.items() for turn in range(1, 6) for _ in range(100)
    ]  # fmt: skip


def found(*measured: list[Pair], record: GrowthRecord | None = None) -> GrowthFindings:
    """The findings of these."""
    return analyse_growth(record or GrowthRecord(small=SMALL), [pair for some in measured for pair in some])


def median(measured: list[Pair]) -> GrowthLine:
    """The line through the medians."""
    return found(measured).of(Axis.RECORDS, 50)[0]


def within(line: GrowthLine, slope: float) -> bool:
    """Whether the interval of the slope includes this one."""
    return line.slope.low is not None and line.slope.high is not None and line.slope.low <= slope <= line.slope.high


def test_one_that_takes_no_longer_is_flat_and_its_slope_is_none() -> None:
    line = median(pairs(dict.fromkeys(SIZES, 1.0)))

    assert line.verdict is GrowthVerdict.FLAT
    assert within(line, 0.0)
    assert [point.size for point in line.points] == list(SIZES)
    assert all(point.ratio.value == pytest.approx(1.0, abs=0.05) for point in line.points)


def test_one_that_takes_longer_with_each_tenfold_grows_by_that() -> None:
    line = median(pairs({10_000: 1.2, 100_000: 1.4, 1_000_000: 1.6}))

    assert line.verdict is GrowthVerdict.GROWS
    assert line.tenfold
    assert line.slope.value == pytest.approx(0.2, abs=0.02)
    assert within(line, 0.2)
    assert line.at(100_000) == pytest.approx(1.4, abs=0.05)


def test_one_that_takes_longer_with_each_record_grows_by_that() -> None:
    line = median(pairs({size: 1 + size / 1_000_000 for size in SIZES}))

    assert line.verdict is GrowthVerdict.GROWS
    assert not line.tenfold
    assert within(line, 0.001)  # for each thousand
    assert line.at(500_000) == pytest.approx(1.5, abs=0.05)


def test_a_little_more_is_flat_and_what_may_be_chance_is_unclear() -> None:
    assert median(pairs(dict.fromkeys(SIZES, 1.05))).verdict is GrowthVerdict.FLAT
    assert median(pairs(dict.fromkeys(SIZES, 1.25))).verdict is GrowthVerdict.GROWS
    assert median(pairs(dict.fromkeys(SIZES, 1.15), noise=2.5)).verdict is not GrowthVerdict.GROWS


def test_a_slow_moment_of_the_machine_falls_on_both_and_changes_nothing() -> None:
    calm = pairs(dict.fromkeys(SIZES, 1.0))
    slow = [
        replace(pair, small_seconds=9 * pair.small_seconds, grown_seconds=9 * pair.grown_seconds)
        if pair.round == 3
        else pair
        for pair in calm
    ]
    assert median(slow).verdict is GrowthVerdict.FLAT


def test_tails_are_judged_apart_from_medians() -> None:
    measured = [
        replace(pair, grown_seconds=20 * pair.grown_seconds) if number % 30 == 0 else pair
        for number, pair in enumerate(pairs(dict.fromkeys(SIZES, 1.0)))
    ]
    seen = found(measured)

    assert seen.of(Axis.RECORDS, 50)[0].verdict is GrowthVerdict.FLAT
    assert seen.of(Axis.RECORDS, 99)[0].verdict is GrowthVerdict.GROWS


def test_the_line_that_lies_closer_is_chosen() -> None:
    sizes = np.array([1, 10, 100, 1000], dtype=float)
    for values, tenfold, slope in (
        (1 + 0.3 * np.log10(sizes), True, 0.3),
        (1 + 0.002 * sizes, False, 2.0),
        (np.ones(4), True, 0.0),
    ):
        seen, begin, way = line_through(sizes, values, np.tile(values, (50, 1)))
        assert way is tenfold
        assert seen.value == pytest.approx(slope, abs=1e-9)
        assert begin == pytest.approx(1.0)


def test_memory_for_each_is_the_line_through_the_memory() -> None:
    looks = tuple(
        MemoryReading("mine", Axis.WAITING, size, "web server", 40_000_000 + 700 * size) for size in (1, 100, 1_000)
    )

    [one] = memory_per_item(GrowthRecord(weights=looks))

    assert one.bytes_per_item == pytest.approx(700)


def a_soak(each: float, record: float = 600.0, left: int = 0) -> SoakRecord:
    """A soak in which so many bytes stay of each task; what its beginning fills once is no part of them."""

    def looks(bytes_each: float) -> tuple[SoakReading, ...]:
        sizes = range(0, 24_001, 2_000)
        return tuple(
            SoakReading(n, {"web server": int(50e6 + 3e6 * min(n, 6_000) / 6_000 + bytes_each * n)}) for n in sizes
        )

    ends = (SoakReading(0, {"web server": 50_000_000}), SoakReading(24_000, {"web server": 50_000_000 + left}))
    open_before, open_after = {"web server": 20}, {"web server": 20 + (left > 0)}
    return SoakRecord("mine", 24_000, "web server", looks(each), looks(record), ends, open_before, open_after, {}, {})


def test_a_soak_that_keeps_more_than_its_records_shows_by_how_much() -> None:
    honest, leaky = soak_result(a_soak(600.0)), soak_result(a_soak(660.0, left=2_400_000))

    assert honest.difference == pytest.approx(0, abs=0.001)
    assert leaky.difference == pytest.approx(0.1, abs=0.001)
    assert leaky.difference > MOST_DIFFERENCE
    assert leaky.expired_bytes["web server"] == pytest.approx(100)
    assert (honest.handles["web server"], leaky.handles["web server"]) == (0, 1)


def whole() -> tuple[GrowthRecord, list[Pair]]:
    """A run with something of everything."""
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


def test_a_folder_is_read_as_it_was_written_and_one_without_results_is_refused(tmp_path: Path) -> None:
    record, measured = whole()
    folder = GrowthFolder(tmp_path)
    folder.write(record, measured)

    again, rows = folder.read()

    assert again == record
    assert [(row.size, row.round, row.action) for row in rows] == [(p.size, p.round, p.action) for p in measured]
    assert [row.grown_seconds for row in rows] == pytest.approx([pair.grown_seconds for pair in measured], abs=1e-7)
    with pytest.raises(RunError, match="no growth results"):
        GrowthFolder(tmp_path / "elsewhere").read()


def test_the_report_says_flat_or_by_how_much_it_grows_and_draws_it(tmp_path: Path) -> None:
    record, measured = whole()
    GrowthFolder(tmp_path).write(record, measured)
    publish_growth(RunFolder(tmp_path))

    markdown = (tmp_path / "report.md").read_text()
    html = (tmp_path / "report.html").read_text()
    text = io.StringIO()
    print_document(Console(file=text, width=80), growth_document(analyse_growth(record, measured)))

    for said in (markdown, text.getvalue()):
        assert "flat " in said
        assert "grows +6" in said
        assert "900 ms" in said
        assert "+10 %" in said
    assert html.count('class="plot"') == 1
    assert "submit 1.0" in html
    assert all(len(line) <= 80 for line in text.getvalue().splitlines())


def test_a_comparison_with_growth_results_has_a_section_of_them_and_others_have_none() -> None:
    record, measured = whole()
    with_growth = replace(some_findings(), growth=analyse_growth(record, measured))

    assert "growth" in [section.key for section in run_document(with_growth).sections]
    assert "growth" not in [section.key for section in run_document(some_findings()).sections]
    assert "What more costs" in html(run_document(with_growth))
    assert "What more costs" in markdown(run_document(with_growth))


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
    assert {one.size for one in growing.weights if one.axis is Axis.RECORDS} == {50, 500}
    [expiry] = growing.expiries
    assert expiry.records == 500
    assert expiry.grown_longest > 0


@pytest.mark.thorough
@pytest.mark.timeout(240)
def test_a_small_soak_of_real_servers_weighs_tasks_records_and_what_stays_open(tmp_path: Path) -> None:
    seen = soak_result(soak("in_memory_queue", 1_200, tmp_path, "", lambda _: None, parts=3))

    assert seen.tasks == 1_200
    # Of so few tasks a table that doubles is a large part; of 24,000 it is none.
    assert 300 < seen.record_bytes < 1_500
    assert abs(seen.difference) < 0.5
    assert abs(seen.expired_bytes["web server"]) < seen.record_bytes
    assert seen.handles["web server"] <= 0
    assert seen.threads["web server"] <= 0
