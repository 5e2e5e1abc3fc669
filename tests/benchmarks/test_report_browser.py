"""The report in a real browser: on a desktop, on a phone, in dark mode and in print."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks.analysis.measures import Measure
from benchmarks.report.question_groups import groups
from tests.benchmarks import findings_cases as cases
from tests.benchmarks.rendered import html_report
from tests.benchmarks.table_readers import number
from tests.support.browser import NoBrowser, Page, browsing

pytestmark = [pytest.mark.thorough, pytest.mark.needs("browser")]

_TITLES = [
    "The answer", "Which pattern for which need", "Durability before speed", "Where the time goes",
    "Latency as the load grows", "Bursts and overload", "What a task costs", "Can the results be trusted?",
    "How to read this report",
]  # fmt: skip
#: The other cases have the plots of a full run.
_CASES = ("full", "quick", "one pattern", "nothing valid")
_INK = "getComputedStyle(document.body).color"
_PAPER = "getComputedStyle(document.documentElement).backgroundColor"
_BAR = "document.querySelector('.plot .bars .point path').style.fill"
_TICK = "document.querySelector('.plot .xtick text').style.fill"


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """A browser page for all tests here, because a start takes a second."""
    with browsing() as opened:
        yield opened


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The report file of each case."""
    folder = tmp_path_factory.mktemp("reports")
    written = {name: folder / f"{name}.html" for name in _CASES}
    for name, path in written.items():
        path.write_text(html_report(cases.ALL[name]()), encoding="utf-8")
    return written


@pytest.mark.parametrize("case", _CASES)
def test_every_report_opens_without_errors_requests_or_horizontal_scrolling(
    page: Page, files: dict[str, Path], case: str
) -> None:
    page.look(width=1280, scheme="light")
    page.open(files[case])
    page.value("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.value("[...document.querySelectorAll('h2')].map(h => h.lastChild.textContent.trim())") == _TITLES
    assert page.value("document.documentElement.scrollWidth") == 1280
    page.look(width=390, scheme="light")
    page.wait_for("document.documentElement.scrollWidth === 390 && innerWidth === 390")
    assert page.errors() == []
    assert {address for address in page.requests() if not address.startswith("data:")} <= {
        path.as_uri() for path in files.values()
    }


def test_every_plot_is_drawn_with_all_traces(page: Page, files: dict[str, Path]) -> None:
    page.look(width=1280, scheme="light")
    page.open(files["full"])
    plots = page.value(
        """[...document.querySelectorAll('.plot')].map(box => ({
            wanted: JSON.parse(box.nextElementSibling.textContent).data.length,
            drawn: box.querySelectorAll('.trace').length,
            svg: box.querySelectorAll('svg.main-svg').length,
            said: box.getAttribute('aria-label'),
            width: box.querySelector('svg.main-svg').getBoundingClientRect().width,
        }))"""
    )
    # Stages: two views of three groups. Sweep and overload: four, and three. Burst: two. Processor time: three.
    assert len(plots) == 2 * 3 + (4 + 3) + 2 + (4 + 3) + 3
    for plot in plots:
        assert plot["drawn"] == plot["wanted"] > 0
        assert plot["svg"] >= 1
        assert plot["width"] > 200
        assert re.search(r"\d", plot["said"])


def test_the_displayed_numbers_are_those_of_the_findings(page: Page, files: dict[str, Path]) -> None:
    page.look(width=1280, scheme="light")
    page.open(files["full"])
    seen = page.value(
        """[...document.querySelectorAll('table')]
            .filter(one => one.caption.innerText.startsWith('End to end: '))
            .flatMap(one => [...one.querySelectorAll('tbody tr:not(.group)')])
            .map(row => [...row.cells].map(cell => cell.innerText))"""
    )
    assert len(seen) == 8  # the baseline is in two groups
    for name, p50, p95, p99, longest, count in seen:
        steady = cases.full().steady_of(name)
        assert steady is not None
        spread = steady.spreads[Measure.END_TO_END]
        assert [number(text) for text in (p50, p95, p99, longest)] == [
            pytest.approx(value, rel=0.06)
            for value in (spread.p50.value, spread.p95.value, spread.p99.value, spread.longest)
        ]
        assert int(count) == spread.count
    bars = page.value("document.querySelector('.plot').data.map(trace => [trace.name, [...trace.x]])")
    first = next(group for group in groups(cases.full()))
    executions = [steady.stages[Measure.EXECUTION] for steady in cases.full().steady if steady.contender in first.names]
    assert dict(bars)["execute"] == [pytest.approx(1000 * seconds) for seconds in executions]


def test_dark_mode_applies_to_page_and_plots_immediately(page: Page, files: dict[str, Path]) -> None:
    page.look(width=1280, scheme="light")
    page.open(files["full"])
    light = [page.value(what) for what in (_INK, _PAPER, _BAR, _TICK)]
    page.look(width=1280, scheme="dark")
    page.wait_for(f"{_BAR} !== {light[2]!r}")
    dark = [page.value(what) for what in (_INK, _PAPER, _BAR, _TICK)]
    assert all(before != after for before, after in zip(light, dark, strict=True))
    assert _lightness(light[1]) > 0.9
    assert _lightness(dark[1]) < 0.2
    assert abs(_lightness(dark[3]) - _lightness(dark[1])) > 0.4


def test_a_wide_table_scrolls_in_its_own_box_on_a_phone(page: Page, files: dict[str, Path]) -> None:
    page.look(width=390, scheme="light")
    page.open(files["full"])
    boxes = page.value(
        "[...document.querySelectorAll('.box')].filter(one => one.offsetParent).map(one => "
        "[one.scrollWidth > one.clientWidth, one.getBoundingClientRect().right, getComputedStyle(one).overflowX])"
    )
    assert any(wider for wider, _, _ in boxes)
    assert all(right <= 390 and overflow == "auto" for _, right, overflow in boxes)
    sentences = page.value("(box => [box.scrollWidth, box.clientWidth])(document.querySelector('.sentences'))")
    assert sentences[0] <= sentences[1]  # the decisions are read without scrolling


def test_headings_are_in_order_and_every_table_has_a_caption_and_headings(page: Page, files: dict[str, Path]) -> None:
    page.look(width=1280, scheme="light")
    page.open(files["full"])
    levels = page.value("[...document.querySelectorAll('h1,h2,h3,h4')].map(one => Number(one.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert page.value("[...document.querySelectorAll('table')].every(one => one.caption && one.caption.textContent)")
    assert page.value("[...document.querySelectorAll('tbody tr:not(.group)')].every(r => r.cells[0].scope === 'row')")
    assert page.value("[...document.querySelectorAll('a')].every(one => document.querySelector(one.hash))")
    assert page.value("document.documentElement.lang") == "en"


def test_it_prints_from_dark_mode(page: Page, files: dict[str, Path]) -> None:
    page.look(width=1280, scheme="dark")
    page.open(files["full"])
    assert page.pdf().startswith(b"%PDF")
    page.value("dispatchEvent(new Event('beforeprint'))")
    assert _lightness(page.value(_PAPER)) > 0.9
    assert page.value("[...document.querySelectorAll('details')].every(one => one.open)")
    page.value("dispatchEvent(new Event('afterprint'))")
    assert _lightness(page.value(_PAPER)) < 0.2
    assert page.errors() == []


def test_without_a_browser_the_tests_fail_and_name_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(NoBrowser, match="apt-get install chromium"), browsing():
        pass


def _lightness(colour: str) -> float:
    """Of `rgb(1, 2, 3)`, between 0 and 1."""
    parts = [int(part) for part in re.findall(r"\d+", colour)[:3]]
    assert len(parts) == 3, colour
    return sum(parts) / 765
