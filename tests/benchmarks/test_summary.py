"""The end of `kit bench` fits one screen, and what nobody may overlook is within its last lines."""

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
from tests.benchmarks import findings_cases as made
from tests.benchmarks.findings_factory import OUTSIDER, PATTERN_CONTENDERS
from tests.benchmarks.rendered import PAGE, summary

FIVE = {name: case for name, case in made.ALL.items() if OUTSIDER not in case().contenders}


def words(text: str) -> str:
    """A text as it reads, however it was broken into lines."""
    return " ".join(text.replace("`", "").split())


@pytest.mark.parametrize("case", [*made.ALL.values(), made.crowd], ids=[*made.ALL, "crowd"])
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


def test_each_contender_more_has_a_row_in_each_of_its_tables() -> None:
    assert len(summary(made.crowd())) <= LINES + 2 * 3


def test_warnings_that_have_no_room_are_counted_and_push_nothing_out() -> None:
    many = replace(made.busy(), warnings=tuple(f"Number {n} of what is amiss, told at length." for n in range(9)))
    lines = summary(many)
    assert len(lines) <= LINES
    assert any(re.fullmatch(r"! \d+ more warnings: see the page\.", line) for line in lines[-LAST_LINES:])
    assert words(recommendations(many)[0].text) in words("\n".join(lines[-LAST_LINES:]))


@pytest.mark.parametrize("width", [79, 60, 40])
def test_a_narrow_terminal_gets_the_same_words(width: int) -> None:
    narrow, wide = summary(made.busy(), width), summary(made.busy())
    assert str(PAGE) in narrow[-2]
    assert sorted("".join(narrow).replace(" ", "")) == sorted("".join(wide).replace(" ", ""))


def test_the_machine_was_busy_is_said_with_numbers() -> None:
    last = words("\n".join(summary(made.busy())[-LAST_LINES:]))
    assert (
        "! The machine was busy: other programs used 1.1 of the 2 cores while trials ran (1.3 during webhook), the "
        "hypervisor gave 0.1 cores to other virtual machines and the null contender, which does no work, took 6.7 ms "
        "(p95 8.7 ms) to answer submit."
    ) in last


def test_a_trial_that_was_left_out_is_a_row_without_figures() -> None:
    findings = made.full()
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


def test_who_has_no_worker_and_no_broker_neither_keeps_nor_loses_on_theirs() -> None:
    shown = cells(made.full())
    assert shown["in_memory_queue"] == ["loses", "loses", NOTHING, NOTHING]
    assert shown["celery_queue"] == ["keeps", "keeps", "keeps", "loses"]
    assert "null" not in shown


def test_what_a_contender_has_that_can_break_is_taken_from_its_record() -> None:
    odd = replace(OUTSIDER, parts=("web", "broker"))
    assert cells(made.full((*PATTERN_CONTENDERS, odd)))["arq_queue"] == ["keeps", "keeps", NOTHING, "loses"]


def test_a_crash_that_was_measured_here_counts_before_what_is_declared() -> None:
    def broken(name: str, fault: str, lost: int) -> FaultTrial:
        return FaultTrial(contender=name, fault=fault, claims_loss=True, offered=200, accepted=200, lost=lost)

    faults = (broken("in_memory_queue", "web_kill", 104), broken("celery_queue", "web_stop", 3))
    kept = broken("celery_queue", "web_kill", 0)
    findings = replace(made.quick(), faults=(*faults, kept))
    assert cells(findings)["in_memory_queue"][:2] == ["loses 104", "loses"]
    assert cells(findings)["celery_queue"] == ["keeps 200", "loses 3", "keeps", "loses"]
    table = crash_table(findings)
    assert table
    assert "numbers were measured in this run, words are declared" in table.caption
    # It did not keep them here: whatever it declares, it is not what to use for that.
    where = recommendations(findings)[0]
    assert where.question is Question.RUNS_IN
    assert "must survive" not in where.text


@pytest.mark.parametrize(
    ("one_round", "says"), [(True, "Too close to call in one round"), (False, "No recommendation")]
)
def test_who_was_left_out_may_be_the_best_so_nobody_else_has_won(one_round: bool, says: str) -> None:
    no_ties = made.no_ties()
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
    assert how.startswith(f"{says}, because `webhook` was left out. Of the others, use `polling`: the client knows")
    first = decisions(findings, Question.LEARNS_BY)[0]
    assert not first.answered
    assert "Left out: `webhook`." in first.because
