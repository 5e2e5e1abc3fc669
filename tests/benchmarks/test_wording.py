"""Every sentence of a report follows from the numbers of the run, and claims no more than they show."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from benchmarks.analysis.findings import Difference, Findings
from benchmarks.analysis.measures import Estimate, Measure
from benchmarks.records.run import Mode
from benchmarks.report.caveats import notices
from benchmarks.report.contents import run_document
from benchmarks.report.decisions import Decision, decisions
from benchmarks.report.document import Document, Notice, Plots, Points, Table, Text
from benchmarks.report.question_groups import groups
from benchmarks.report.ranking import TOO_CLOSE, rank
from benchmarks.report.ranking_text import ranking_in_words
from benchmarks.report.sections.answer import answers
from benchmarks.report.soundness import sound
from patterns.contract.descriptor import Question
from tests.benchmarks import findings_cases as cases
from tests.benchmarks.findings_factory import NULL, OUTSIDER, PATTERN_CONTENDERS, RECORD, WELL

WHERE = ("background_tasks", "celery_queue", "in_memory_queue")
#: Words that rank contenders.
_RANKS = ("fastest", "longer", "quickest", "quicker", "faster")


def answer_text(findings: Findings) -> str:
    """The three points of the answer."""
    return "\n".join(f"{point.lead} {point.text}" for point in answers(findings))


def tables(document: Document) -> list[Table]:
    """All tables of a report, including those of plots."""
    blocks = [block for section in document.sections for block in section.blocks]
    beside = [table for block in blocks if isinstance(block, Plots) for table in block.tables]
    return [block for block in blocks if isinstance(block, Table)] + beside


def decided(findings: Findings, question: Question, need: str) -> Decision:
    """One row of the decision table."""
    return next(decision for decision in decisions(findings, question) if need in decision.need)


def test_a_full_run_is_summarized_in_three_points_with_its_numbers() -> None:
    crash, where, how = (point.text for point in answers(cases.full()))
    assert crash == (
        "`celery_queue` and `arq_queue` keep accepted tasks when the web process is killed or stopped; "
        "the others lose them; `celery_queue` loses them only on `broker_loss`; `arq_queue` loses them only on "
        "`broker_loss` and `worker_kill` (declared, not measured here)."
    )
    assert where == (
        "Use `celery_queue` or `arq_queue` if accepted tasks must survive a crash of the web process; the others lose "
        "them (declared, not measured here). Otherwise, use `in_memory_queue` or `background_tasks` (tied): submit "
        "takes 2.1 to 2.4 ms (`arq_queue`: 3.8 ms, `celery_queue`: 4.4 ms). End to end, `celery_queue` is the "
        "fastest, by at least 3.3 ms (2.9\u20133.7)."
    )
    assert how.startswith(
        "Use `polling`: the client learns the outcome 0.70 ms after the task finishes (`webhook`: 1.4 ms, "
        "`in_memory_queue`: 140 ms). `polling` holds a request open while it waits. End to end, `polling`"
    )


def test_a_quick_run_is_too_close_to_call_and_ranks_no_contender() -> None:
    text = answer_text(cases.quick())
    assert text.lower().count(TOO_CLOSE) == 2  # in each recommendation
    assert not any(word in text for word in _RANKS)
    blocks = run_document(cases.quick()).sections[0].blocks
    assert any(isinstance(block, Notice) and "With a single round" in block.text and not block.loud for block in blocks)
    for question in Question:
        first = decided(cases.quick(), question, "submit" if question is Question.RUNS_IN else "as soon as")
        assert (first.use, first.answered) == (TOO_CLOSE, False)


def test_when_everything_ties_no_sentence_ranks() -> None:
    everything = run_document(cases.ties())
    assert "End to end, all are tied" in answer_text(cases.ties())
    assert not any(word in answer_text(cases.ties()) for word in _RANKS)
    cells = [cell.text for table in tables(everything) for rows in table.groups for row in rows.rows for cell in row]
    assert not any("is faster" in text or "is the fastest" in text for text in cells)
    assert decided(cases.ties(), Question.RUNS_IN, "submit").use.endswith("(tied)")


def test_without_ties_one_contender_leads_and_each_other_has_its_own_gap() -> None:
    ranking = rank(cases.no_ties(), WHERE, Measure.SUBMIT_LATENCY)
    assert ranking.best == ("in_memory_queue",)
    assert ranking.leads
    assert ranking_in_words(ranking).startswith(
        "`in_memory_queue` is the fastest, 2.1 ms (2.0\u20132.2); `background_tasks` takes"
    )
    assert decided(cases.no_ties(), Question.RUNS_IN, "submit").use == "`in_memory_queue`"


def test_a_lower_median_within_the_noise_is_no_lead() -> None:
    # The interval of the first difference includes zero; the third contender is behind both.
    pair = [
        Difference(Measure.SUBMIT_LATENCY, "background_tasks", "celery_queue", Estimate(-0.002, -0.003, -0.001)),
        Difference(Measure.SUBMIT_LATENCY, "background_tasks", "in_memory_queue", Estimate(0.0003, -0.0001, 0.0007)),
        Difference(Measure.SUBMIT_LATENCY, "celery_queue", "in_memory_queue", Estimate(0.0023, 0.0019, 0.0027)),
    ]
    ranking = rank(replace(cases.full(), differences=tuple(pair)), WHERE, Measure.SUBMIT_LATENCY)
    assert set(ranking.best) == {"background_tasks", "in_memory_queue"}
    assert [(step.name, step.ahead) for step in ranking.behind] == [("celery_queue", "in_memory_queue")]


def test_a_single_pattern_is_compared_with_nothing() -> None:
    text = answer_text(cases.only("in_memory_queue"))
    assert "Nothing to compare: only `in_memory_queue` was measured." in text
    assert "No contender for this question took part" in text
    assert not decided(cases.only("in_memory_queue"), Question.RUNS_IN, "submit").answered


def test_without_a_valid_trial_the_report_says_so_first_and_shows_no_latency() -> None:
    findings = cases.nothing_valid()
    assert notices(findings)[0] == "All 5 trials were left out: this run has no valid measurement."
    assert "No recommendation: every trial was left out." in answer_text(findings)
    assert not re.search(r"\d (ms|s)\b", answer_text(findings))
    steady = decided(findings, Question.RUNS_IN, "submit")
    assert (steady.use, steady.because) == ("no recommendation", "Every trial was left out.")


def test_a_contender_that_lost_tasks_is_named_in_a_warning_and_never_recommended() -> None:
    findings = cases.lossy()
    assert any(
        "`webhook`: 5 lost and 3 failed of 960 tasks, although no fault was injected" in text
        for text in notices(findings)
    )
    assert "not considered: `webhook`: 5 lost and 3 failed of 960 tasks" in answer_text(findings)
    assert "webhook" not in sound(findings, ("polling", "webhook"))
    assert not any("webhook" in decision.use for decision in decisions(findings, Question.LEARNS_BY))


@pytest.mark.parametrize("trouble", ["lost", "failed", "errors", "refused", "twice"])
def test_failures_of_the_servers_count_and_those_of_the_load_process_do_not(trouble: str) -> None:
    findings = cases.full()
    bad = replace(WELL, **{trouble: 1})
    other = replace(WELL, dropped=4, interrupted=2)
    rows = [replace(steady, tally=bad if steady.contender == "polling" else other) for steady in findings.steady]
    assert sound(replace(findings, steady=tuple(rows)), ("polling", "webhook")) == ("webhook",)
    texts = notices(replace(findings, steady=tuple(rows)))
    assert any("`webhook`: 4 tasks were not sent in time and 2 were interrupted" in text for text in texts)


def test_surviving_a_web_crash_is_declared_and_its_submit_latency_measured() -> None:
    row = decided(cases.full(), Question.RUNS_IN, "survive")
    assert row.use == "`celery_queue` or `arq_queue`"
    assert row.because.startswith("Declared: survives `web_kill` and `web_stop`.")
    assert "Median submit latency: `celery_queue` 4.4 ms (4.2\u20134.6)" in row.because
    assert decided(cases.only("in_memory_queue"), Question.RUNS_IN, "survive").use == "none of these"


def test_equal_rates_are_tied_and_a_refused_burst_is_not_chosen() -> None:
    assert decided(cases.full(), Question.LEARNS_BY, "p99").use == "`in_memory_queue` or `webhook` (tied)"
    burst = decided(cases.full(), Question.LEARNS_BY, "burst")
    assert burst.use == "`in_memory_queue` or `webhook` (each does)"
    assert "`polling` 17 not completed" in burst.because
    flood = decided(cases.full(), Question.RUNS_IN, "overload")
    assert "background_tasks" not in flood.use  # it did not recover
    assert "`background_tasks` lost 0, refused 41 %, completed 15/s at a capacity of 16/s, did not recover" in (
        flood.because[:1].lower() + flood.because[1:]
    )


def test_one_step_of_a_sweep_is_too_close_to_call_in_one_round() -> None:
    findings = cases.full()
    swept = tuple(replace(trial, mode=Mode.SWEEP) for trial in findings.record.trials)
    once = replace(findings, record=replace(findings.record, trials=swept))
    assert decided(once, Question.LEARNS_BY, "p99").use == f"any of them ({TOO_CLOSE})"
    twice = replace(once, record=replace(once.record, trials=(*swept, replace(swept[0], round=2))))
    assert decided(twice, Question.LEARNS_BY, "p99").use == "`in_memory_queue` or `webhook` (tied)"


def test_contenders_are_grouped_by_question_with_the_null_contender_last() -> None:
    assert [(group.question, group.names) for group in groups(cases.full())] == [
        (Question.RUNS_IN, (*WHERE, "arq_queue")),
        (Question.LEARNS_BY, ("in_memory_queue", "polling", "webhook")),
        (None, ("null",)),
    ]
    both = replace(OUTSIDER, name="celery_webhook", kind="matrix")
    odd = replace(OUTSIDER, teaches="who pays")
    all_groups = groups(cases.full((*PATTERN_CONTENDERS, odd, NULL)))
    assert ("Who pays", ("arq_queue",)) in [(group.heading, group.names) for group in all_groups]
    assert [group.heading for group in groups(replace(cases.full(), contenders=(both,)))] == ["Both questions"]


def test_the_null_contender_is_in_no_sentence_and_no_decision() -> None:
    assert "null" not in answer_text(cases.full())
    for question in Question:
        assert not any("null" in decision.use + decision.because for decision in decisions(cases.full(), question))


@pytest.mark.parametrize("mode", [mode for mode in Mode if mode is not Mode.STEADY])
def test_a_mode_that_was_not_run_is_one_line_with_the_command_to_run_it(mode: Mode) -> None:
    lines = [
        block.text
        for section in run_document(cases.quick()).sections
        for block in section.blocks
        if isinstance(block, Text) and f"use `kit bench --mode {mode.value}`" in block.text
    ]
    assert len(lines) == 1


@pytest.mark.parametrize("case", cases.ALL.values(), ids=cases.ALL)
def test_there_are_always_nine_sections_and_three_points(case: Callable[[], Findings]) -> None:
    document = run_document(case())
    assert [section.key for section in document.sections] == [
        "answer", "decision", "durability", "time", "sweep", "peaks", "costs", "validity", "reading",
    ]  # fmt: skip
    points = [block for block in document.sections[0].blocks if isinstance(block, Points)]
    assert [len(block.items) for block in points] == [3]
    assert all(point.text.endswith(".") and point.text[0] in "`ABCDEFGHIJKLMNOPQRSTUVWXYZ" for point in points[0].items)


def test_an_interrupted_run_and_its_warnings_are_reported_first() -> None:
    findings = replace(cases.full(), record=replace(RECORD, complete=False), warnings=("The clock was moved by 2 s.",))
    texts = notices(findings)
    assert "The run was interrupted: these are the trials up to that point." in texts
    assert "The clock was moved by 2 s." in texts
