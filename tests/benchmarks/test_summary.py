"""The final screen of `kit bench` fits its limits, and a short terminal shows the warnings and recommendations."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from benchmarks.analysis.findings import Findings, LeftOut
from benchmarks.records.faults import FaultTrial
from benchmarks.records.run import Mode
from benchmarks.report.caveats import notices
from benchmarks.report.crash_losses import crash_table
from benchmarks.report.decisions import decisions
from benchmarks.report.formatting import NOTHING
from benchmarks.report.recommendations import recommendations
from benchmarks.report.summary import LAST_LINES, LINES, WIDTH
from patterns.contract.descriptor import Question
from tests.benchmarks import findings_cases as cases
from tests.benchmarks.findings_factory import OUTSIDER, PATTERN_CONTENDERS
from tests.benchmarks.rendered import PAGE, summary

FIVE = {name: case for name, case in cases.ALL.items() if OUTSIDER not in case().contenders}


def words(text: str) -> str:
    """The words of a text, however it was wrapped."""
    return " ".join(text.replace("`", "").split())


@pytest.mark.parametrize("case", [*cases.ALL.values(), cases.crowd], ids=[*cases.ALL, "crowd"])
def test_the_last_lines_hold_the_warning_the_recommendations_and_the_page(case: Callable[[], Findings]) -> None:
    findings = case()
    lines = summary(findings)
    last = words("\n".join(lines[-LAST_LINES:]))
    assert max(map(len, lines)) <= WIDTH
    for recommendation in recommendations(findings):
        assert words(recommendation.text) in last
    assert str(PAGE) in last
    for text in notices(findings)[:1]:
        assert words(f"! {text}") in last


@pytest.mark.parametrize("case", FIVE.values(), ids=FIVE)
def test_the_five_fit_one_summary(case: Callable[[], Findings]) -> None:
    assert len(summary(case())) <= LINES


def test_each_further_contender_adds_a_row_to_each_of_its_tables() -> None:
    assert len(summary(cases.crowd())) <= LINES + 2 * 3


def test_a_blank_line_separates_the_warnings_from_the_recommendations() -> None:
    lines = [line.rstrip() for line in summary(cases.busy(), WIDTH)]
    first = next(number for number, line in enumerate(lines) if line.startswith("Where the work runs:"))
    assert lines[first - 1] == ""
    assert "idle machine." in lines[first - 2] + lines[first - 3]


def test_warnings_without_room_are_counted_and_displace_nothing() -> None:
    many = replace(cases.busy(), warnings=tuple(f"Warning number {n}, with all of its details." for n in range(9)))
    lines = summary(many)
    assert len(lines) <= LINES
    assert any(re.fullmatch(r"! \d+ more warnings: see the report\.", line) for line in lines[-LAST_LINES:])
    assert words(recommendations(many)[0].text) in words("\n".join(lines[-LAST_LINES:]))


@pytest.mark.parametrize("width", [79, 60, 40])
def test_a_narrow_terminal_shows_the_same_words(width: int) -> None:
    narrow, wide = summary(cases.busy(), width), summary(cases.busy())
    assert str(PAGE) in narrow[-2]
    assert sorted("".join(narrow).replace(" ", "")) == sorted("".join(wide).replace(" ", ""))


def test_a_busy_machine_is_reported_with_numbers() -> None:
    last = words("\n".join(summary(cases.busy())[-LAST_LINES:]))
    assert (
        "! The machine was busy: other programs used 1.1 of 2 cores (1.3 during webhook), the hypervisor gave 0.1 "
        "cores to other virtual machines and a submit to the null contender, which does no work, took 6.7 ms (p95 "
        "8.7 ms). Latencies are inflated: repeat the run on an idle machine."
    ) in last


def test_a_contender_whose_trials_were_left_out_has_a_row_without_numbers() -> None:
    findings = cases.full()
    left = LeftOut(3, "celery_queue", Mode.STEADY, ("the load process was late",))
    others = tuple(steady for steady in findings.steady if steady.contender != "celery_queue")
    lines = summary(replace(findings, steady=others, left_out=(left,)))
    assert any(re.fullmatch(rf"celery_queue( +{NOTHING}){{5}} +left out", line) for line in lines)
    assert "! 1 of 29 trials was left out: celery_queue (the load process was late)." in words("\n".join(lines))


def cells(findings: Findings) -> dict[str, list[str]]:
    """The crash table, by contender."""
    table = crash_table(findings)
    assert table
    return {row[0].text.strip("`"): [cell.text for cell in row[1:]] for row in table.groups[0].rows}


def test_a_contender_without_worker_or_broker_has_dashes_for_their_faults() -> None:
    shown = cells(cases.full())
    assert shown["in_memory_queue"] == ["lost", "lost", NOTHING, NOTHING]
    assert shown["celery_queue"] == ["kept", "kept", "kept", "lost"]
    assert "null" not in shown


def test_the_parts_that_can_break_come_from_the_record() -> None:
    odd = replace(OUTSIDER, parts=("web", "broker"))
    assert cells(cases.full((*PATTERN_CONTENDERS, odd)))["arq_queue"] == ["kept", "kept", NOTHING, "lost"]


def test_a_measured_crash_takes_precedence_over_a_declared_one() -> None:
    def broken(name: str, fault: str, lost: int) -> FaultTrial:
        return FaultTrial(contender=name, fault=fault, claims_loss=True, offered=200, accepted=200, lost=lost)

    faults = (broken("in_memory_queue", "web_kill", 104), broken("celery_queue", "web_stop", 3))
    kept = broken("celery_queue", "web_kill", 0)
    findings = replace(cases.quick(), faults=(*faults, kept))
    assert cells(findings)["in_memory_queue"][:2] == ["104 lost", "lost"]
    assert cells(findings)["celery_queue"] == ["200 kept", "3 lost", "kept", "lost"]
    table = crash_table(findings)
    assert table
    assert "with a number: measured in this run; others: declared" in table.caption
    # It lost tasks in this run, so it is not recommended for keeping them, whatever it declares.
    where = recommendations(findings)[0]
    assert where.question is Question.RUNS_IN
    assert "must survive" not in where.text


@pytest.mark.parametrize(
    ("one_round", "says"), [(True, "Too close to call in one round"), (False, "No recommendation")]
)
def test_a_contender_that_was_left_out_may_be_the_best_so_no_other_wins(one_round: bool, says: str) -> None:
    no_ties = cases.no_ties()
    findings = replace(
        no_ties,
        steady=tuple(steady for steady in no_ties.steady if steady.contender != "webhook"),
        differences=tuple(
            replace(difference, one_round=one_round)
            for difference in no_ties.differences
            if difference.second != "webhook"
        ),
        left_out=(LeftOut(5, "webhook", Mode.STEADY, ("the load process was late",)),),
    )
    how = recommendations(findings)[1].text
    assert how.startswith(f"{says}, because `webhook` was left out. Of the others, use `polling`: the client learns")
    first = decisions(findings, Question.LEARNS_BY)[0]
    assert not first.answered
    assert "Left out: `webhook`." in first.because
