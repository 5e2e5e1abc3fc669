"""Each sentence follows from the numbers of its run, and says no more than they do."""

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
from tests.benchmarks import findings_cases as made
from tests.benchmarks.findings_factory import NULL, OUTSIDER, PATTERN_CONTENDERS, RECORD, WELL

WHERE = ("background_tasks", "celery_queue", "in_memory_queue")
#: Words that rank.
_RANKS = ("quickest", "longer", "quicker", "faster")


def answer_text(findings: Findings) -> str:
    """The three sentences."""
    return "\n".join(f"{point.lead} {point.text}" for point in answers(findings))


def tables(document: Document) -> list[Table]:
    """All of a page, those beside plots too."""
    blocks = [block for section in document.sections for block in section.blocks]
    beside = [table for block in blocks if isinstance(block, Plots) for table in block.tables]
    return [block for block in blocks if isinstance(block, Table)] + beside


def decided(findings: Findings, question: Question, need: str) -> Decision:
    """One row of the decision table."""
    return next(decision for decision in decisions(findings, question) if need in decision.need)


def test_a_full_run_is_told_in_three_sentences_with_its_numbers() -> None:
    crash, where, how = (point.text for point in answers(made.full()))
    assert crash == (
        "`celery_queue` and `arq_queue` keep accepted tasks when the web process is killed or stopped; "
        "the others lose them; `celery_queue` loses them on `broker_loss`; `arq_queue` loses them on `broker_loss` and "
        "`worker_kill` (declared, not measured here)."
    )
    assert where == (
        "Use `celery_queue` or `arq_queue` if accepted tasks must survive a crash of the web process: only they keep "
        "them (declared, not measured here). Otherwise use `in_memory_queue` or `background_tasks` (a tie): submit is "
        "answered in 2.1 to 2.4 ms (`arq_queue`: 3.8 ms, `celery_queue`: 4.4 ms). End to end, `celery_queue` is the "
        "quickest, by at least 3.3 ms (2.9\u20133.7)."
    )
    assert how.startswith(
        "Use `polling`: the client knows the outcome 0.70 ms after the task has finished (`webhook`: 1.4 ms, "
        "`in_memory_queue`: 140 ms). `polling` holds a request open while it waits. End to end, `polling`"
    )


def test_a_quick_run_says_that_it_cannot_tell_and_ranks_nobody() -> None:
    text = answer_text(made.quick())
    assert text.lower().count(TOO_CLOSE) == 2  # in each recommendation
    assert not any(word in text for word in _RANKS)
    blocks = run_document(made.quick()).sections[0].blocks
    assert any(isinstance(block, Notice) and "A single round" in block.text and not block.loud for block in blocks)
    for question in Question:
        first = decided(made.quick(), question, "submit" if question is Question.RUNS_IN else "at once")
        assert (first.use, first.answered) == (TOO_CLOSE, False)


def test_when_everything_ties_nothing_is_quicker_anywhere() -> None:
    everything = run_document(made.ties())
    assert "End to end, all are a tie" in answer_text(made.ties())
    assert not any(word in answer_text(made.ties()) for word in _RANKS)
    cells = [cell.text for table in tables(everything) for rows in table.groups for row in rows.rows for cell in row]
    assert not any("is quicker" in text or "is the quickest" in text for text in cells)
    assert decided(made.ties(), Question.RUNS_IN, "submit").use.endswith("(a tie)")


def test_without_ties_one_leads_and_each_other_is_behind_by_its_own_difference() -> None:
    ranking = rank(made.no_ties(), WHERE, Measure.SUBMIT_LATENCY)
    assert ranking.best == ("in_memory_queue",)
    assert ranking.leads
    assert ranking_in_words(ranking).startswith(
        "`in_memory_queue` is the quickest, 2.1 ms (2.0\u20132.2); `background_tasks` takes"
    )
    assert decided(made.no_ties(), Question.RUNS_IN, "submit").use == "`in_memory_queue`"


def test_a_lower_median_within_the_noise_is_no_lead() -> None:
    # Between the first and the second the interval holds zero; the third is behind both.
    pair = [
        Difference(Measure.SUBMIT_LATENCY, "background_tasks", "celery_queue", Estimate(-0.002, -0.003, -0.001)),
        Difference(Measure.SUBMIT_LATENCY, "background_tasks", "in_memory_queue", Estimate(0.0003, -0.0001, 0.0007)),
        Difference(Measure.SUBMIT_LATENCY, "celery_queue", "in_memory_queue", Estimate(0.0023, 0.0019, 0.0027)),
    ]
    ranking = rank(replace(made.full(), differences=tuple(pair)), WHERE, Measure.SUBMIT_LATENCY)
    assert set(ranking.best) == {"background_tasks", "in_memory_queue"}
    assert [(step.name, step.ahead) for step in ranking.behind] == [("celery_queue", "in_memory_queue")]


def test_one_pattern_has_nothing_to_be_compared_with() -> None:
    text = answer_text(made.only("in_memory_queue"))
    assert "Nothing to compare: only `in_memory_queue` was measured." in text
    assert "No contender that answers this question took part" in text
    assert not decided(made.only("in_memory_queue"), Question.RUNS_IN, "submit").answered


def test_when_nothing_is_valid_the_page_says_so_first_and_names_no_time() -> None:
    findings = made.nothing_valid()
    assert notices(findings)[0] == "All 5 trials were left out: this run measured nothing that counts."
    assert "No recommendation: every trial was left out." in answer_text(findings)
    assert not re.search(r"\d (ms|s)\b", answer_text(findings))
    steady = decided(findings, Question.RUNS_IN, "submit")
    assert (steady.use, steady.because) == ("no answer", "Every trial was left out.")


def test_who_lost_tasks_is_named_aloud_and_recommended_for_nothing() -> None:
    findings = made.lossy()
    assert any(
        "`webhook`: 5 lost and 3 failed of 960 tasks, and nothing was killed" in text for text in notices(findings)
    )
    assert "not considered: `webhook`: 5 lost and 3 failed of 960 tasks" in answer_text(findings)
    assert "webhook" not in sound(findings, ("polling", "webhook"))
    assert not any("webhook" in decision.use for decision in decisions(findings, Question.LEARNS_BY))


@pytest.mark.parametrize("trouble", ["lost", "failed", "errors", "refused", "twice"])
def test_every_trouble_of_the_servers_counts_and_those_of_the_load_process_do_not(trouble: str) -> None:
    findings = made.full()
    bad = replace(WELL, **{trouble: 1})
    other = replace(WELL, dropped=4, interrupted=2)
    rows = [replace(steady, tally=bad if steady.contender == "polling" else other) for steady in findings.steady]
    assert sound(replace(findings, steady=tuple(rows)), ("polling", "webhook")) == ("webhook",)
    texts = notices(replace(findings, steady=tuple(rows)))
    assert any("`webhook`: 4 tasks were not sent in time and 2 were cut off" in text for text in texts)


def test_who_outlives_the_web_process_is_declared_and_its_price_is_measured() -> None:
    row = decided(made.full(), Question.RUNS_IN, "outlive")
    assert row.use == "`celery_queue` or `arq_queue`"
    assert row.because.startswith("Declared: survives `web_kill` and `web_stop`.")
    assert "`celery_queue` answers submit in 4.4 ms (4.2\u20134.6)" in row.because
    assert decided(made.only("in_memory_queue"), Question.RUNS_IN, "outlive").use == "none of these"


def test_a_rate_that_two_hold_is_a_tie_and_a_burst_that_was_refused_is_no_choice() -> None:
    assert decided(made.full(), Question.LEARNS_BY, "p99").use == "`in_memory_queue` or `webhook` (a tie)"
    burst = decided(made.full(), Question.LEARNS_BY, "many at once")
    assert burst.use == "`in_memory_queue` or `webhook` (each does)"
    assert "`polling` 17 not done" in burst.because
    flood = decided(made.full(), Question.RUNS_IN, "overload")
    assert "background_tasks" not in flood.use  # it did not recover
    assert "`background_tasks` lost 0, refused 41 %, completed 15/s of 16/s possible, did not recover" in (
        flood.because[:1].lower() + flood.because[1:]
    )


def test_one_step_of_a_sweep_is_too_close_to_call_in_one_round() -> None:
    findings = made.full()
    swept = tuple(replace(trial, mode=Mode.SWEEP) for trial in findings.record.trials)
    once = replace(findings, record=replace(findings.record, trials=swept))
    assert decided(once, Question.LEARNS_BY, "p99").use == f"any of them ({TOO_CLOSE})"
    twice = replace(once, record=replace(once.record, trials=(*swept, replace(swept[0], round=2))))
    assert decided(twice, Question.LEARNS_BY, "p99").use == "`in_memory_queue` or `webhook` (a tie)"


def test_the_contenders_stand_under_their_own_question_and_the_null_contender_apart() -> None:
    assert [(group.question, group.names) for group in groups(made.full())] == [
        (Question.RUNS_IN, (*WHERE, "arq_queue")),
        (Question.LEARNS_BY, ("in_memory_queue", "polling", "webhook")),
        (None, ("null",)),
    ]
    both = replace(OUTSIDER, name="celery_webhook", kind="matrix")
    odd = replace(OUTSIDER, teaches="who pays")
    all_groups = groups(made.full((*PATTERN_CONTENDERS, odd, NULL)))
    assert ("Who pays", ("arq_queue",)) in [(group.heading, group.names) for group in all_groups]
    assert [group.heading for group in groups(replace(made.full(), contenders=(both,)))] == ["Both at once"]


def test_the_null_contender_is_in_no_sentence_and_no_decision() -> None:
    assert "null" not in answer_text(made.full())
    for question in Question:
        assert not any("null" in decision.use + decision.because for decision in decisions(made.full(), question))


@pytest.mark.parametrize("mode", [mode for mode in Mode if mode is not Mode.STEADY])
def test_a_mode_that_was_not_run_is_one_line_that_says_how_to_get_it(mode: Mode) -> None:
    lines = [
        block.text
        for section in run_document(made.quick()).sections
        for block in section.blocks
        if isinstance(block, Text) and f"Get it with `kit bench --mode {mode.value}`" in block.text
    ]
    assert len(lines) == 1


@pytest.mark.parametrize("case", made.ALL.values(), ids=made.ALL)
def test_there_are_always_nine_sections_and_three_sentences(case: Callable[[], Findings]) -> None:
    document = run_document(case())
    assert [section.key for section in document.sections] == [
        "answer", "decision", "durability", "time", "sweep", "peaks", "costs", "validity", "reading",
    ]  # fmt: skip
    points = [block for block in document.sections[0].blocks if isinstance(block, Points)]
    assert [len(block.items) for block in points] == [3]
    assert all(point.text.endswith(".") and point.text[0] in "`ABCDEFGHIJKLMNOPQRSTUVWXYZ" for point in points[0].items)


def test_an_unfinished_run_and_its_warnings_are_told_first() -> None:
    findings = replace(made.full(), record=replace(RECORD, complete=False), warnings=("The clock was moved by 2 s.",))
    texts = notices(findings)
    assert "The run was stopped before its end: this is what was measured so far." in texts
    assert "The clock was moved by 2 s." in texts
