"""Fault trials in a report: the same counts in every format, and contradictions of a descriptor are reported."""

from dataclasses import replace

import pytest

from benchmarks.analysis.findings import Findings
from benchmarks.records.faults import FaultTrial
from benchmarks.report.formatting import NOTHING
from tests.benchmarks.findings_cases import full
from tests.benchmarks.rendered import html_report, markdown_report
from tests.benchmarks.table_readers import Shown, tables_of_html, tables_of_markdown

_GOOD = FaultTrial(
    contender="celery_queue", fault="worker_kill", claims_loss=False, offered=200, accepted=200, completed=200,
    ran_twice=4, calls_back=True, delivered=200, works_again=2.5, all_known_after=17.0,
)  # fmt: skip
_LOST = FaultTrial(
    contender="in_memory_queue", fault="web_kill", claims_loss=True, offered=200, accepted=200, completed=93, failed=3,
    lost=104, works_again=1.25,
)  # fmt: skip
_CELLS = (_GOOD, _LOST)


def broken(*cells: FaultTrial) -> Findings:
    """A run with these fault trials."""
    return replace(full(), faults=cells)


@pytest.fixture(params=["html", "markdown"])
def tables(request: pytest.FixtureRequest) -> list[Shown]:
    """The tables of the report in HTML or Markdown."""
    if request.param == "html":
        return tables_of_html(html_report(broken(*_CELLS)))
    return tables_of_markdown(markdown_report(broken(*_CELLS)))


def test_the_overview_counts_tasks_without_a_result(tables: list[Shown]) -> None:
    (overview,) = [table for table in tables if table.caption.startswith("Tasks without a result, of 200 accepted")]

    assert overview.of("web_kill")["in_memory_queue"] == "107"
    assert overview.of("worker_kill")["celery_queue"] == "0"
    assert overview.of("worker_kill")["in_memory_queue"] == NOTHING


def test_every_count_is_in_the_details(tables: list[Shown]) -> None:
    details = [table for table in tables if table.caption.startswith("All counts")]
    rows = {table.heading: table.rows for table in details}

    assert rows["celery_queue"] == [["worker_kill", "200", "200", "0", "0", "4", "0", "0", "2.50 s", "17.0 s"]]
    assert rows["in_memory_queue"] == [["web_kill", "200", "93", "3", "104", "0", NOTHING, NOTHING, "1.25 s", NOTHING]]


def test_more_loss_than_declared_is_a_warning() -> None:
    liar = replace(_LOST, claims_loss=False)

    assert liar.contradicts
    assert "declares no loss, but 107 tasks ended without a result" in markdown_report(broken(_GOOD, liar))
    assert "says that it loses none" not in markdown_report(broken(*_CELLS))


def test_less_loss_than_declared_is_no_contradiction() -> None:
    lucky = replace(_GOOD, claims_loss=True)

    assert not lucky.contradicts
    assert not lucky.as_claimed
    assert "may lose tasks, but none was lost here" in markdown_report(broken(lucky))


def test_a_failed_trial_is_reported_and_counts_as_nothing() -> None:
    ended = replace(_GOOD, trouble="The worker ended with exit code 1 before it was ready: no memory", accepted=0)

    text = markdown_report(broken(ended, _LOST))

    assert "no memory" in text
    assert ended.contradicts
    assert "| `worker_kill` | **not measured** |" in text


def test_the_answer_says_whether_it_was_measured_here() -> None:
    assert "declared, not measured here" in markdown_report(full())
    assert "declared, not measured here" in markdown_report(broken(*_CELLS))  # not every declaration was tested
