"""What is shown is what was found: each figure in its own column, each pattern under its own question."""

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.comparison import Files
from benchmarks.figures import Distribution, Figures, Tally
from benchmarks.plan import QUICK
from benchmarks.report import groups, how_to_read, milliseconds, print_report, ties, warnings
from patterns import PATTERNS
from patterns.descriptor import Question

WELL = Tally(
    offered=96, accepted=96, completed=96, failed=0, lost=0, refused=0, errors=0, dropped=0, interrupted=0, twice=0
)


def spread(p50: float, p95: float, p99: float, width: float = 0.0001) -> Distribution:
    """A distribution of 96 values."""
    return Distribution(96, p50, p95, p99, 2 * p99, (p50 - width, p50 + width))


def found(pattern: str, tally: Tally = WELL, **measures: object) -> Figures:
    """Figures in which each number is a different one."""
    figures = Figures(
        pattern=pattern,
        tally=tally,
        submit_latency=spread(0.011, 0.022, 0.033),
        queue_wait=spread(0.044, 0.055, 0.066),
        execution=spread(0.077, 0.088, 0.099),
        notification_lag=spread(0.111, 0.122, 0.133),
        end_to_end=spread(0.444, 0.555, 0.666),
        tasks_per_second=24.5,
        requests_per_task=3.7,
        lateness=spread(0.0001, 0.0002, 0.0003),
    )
    return replace(figures, **measures)  # type: ignore[arg-type]


def shown(figures: Sequence[Figures], *, width: int = 100, interrupted: bool = False) -> str:
    """The report as text."""
    text = io.StringIO()
    console = Console(file=text, width=width)
    print_report(console, figures, QUICK, Files(Path("runs/x")), ["2 cores"], interrupted=interrupted)
    return text.getvalue()


@pytest.mark.parametrize("width", [80, 100, 160])
def test_each_percentile_stands_under_its_own_heading(width: int) -> None:
    lines = shown([found("background_tasks")], width=width).splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("pattern"))
    heading, row = lines[at], lines[at + 1]
    assert row.split() == ["background_tasks", "11", "22", "33", "444", "555", "111", "24.5", "3.7", "0"]
    for name, value, occurrence in (
        ("p50", "11", 0),
        ("p95", "22", 0),
        ("p99", "33", 0),
        ("p50", "444", 1),
        ("p95", "555", 1),
        ("p50", "111", 2),
        ("per s", "24.5", 0),
        ("per task", "3.7", 0),
        ("tasks", "0", 0),
    ):
        ends = [i + len(name) for i in range(len(heading)) if heading.startswith(name, i)]
        assert row[: ends[occurrence]].endswith(f" {value}"), f"{value} is not under {name} {occurrence}"


def test_the_patterns_stand_under_their_own_questions_and_the_baseline_under_both() -> None:
    by_question = {
        question: [figures.pattern for figures in members]
        for question, members in groups([found(name) for name in PATTERNS])
    }
    assert by_question == {  # never all five in one
        Question.RUNS_IN: ["background_tasks", "celery_queue", "in_memory_queue"],
        Question.LEARNS_BY: ["in_memory_queue", "polling", "webhook"],
    }
    text = shown([found(name) for name in PATTERNS])
    assert text.index("where the work runs") < text.index("how the client learns the outcome")


def test_a_question_that_was_not_measured_has_no_table() -> None:
    text = shown([found("in_memory_queue"), found("celery_queue")])
    assert "where the work runs" in text
    assert "how the client learns the outcome" not in text


def test_when_all_is_well_a_sentence_says_so_and_otherwise_a_table_says_what_became_of_every_task() -> None:
    assert "96 tasks were offered; all were accepted, and completed once" in shown([found("polling")])
    bad = replace(WELL, accepted=90, completed=85, failed=1, lost=4, refused=3, errors=2, dropped=1, twice=7)
    text = shown([found("polling", bad)])
    assert "all were accepted" not in text
    row = [line for line in text.splitlines() if line.startswith("polling ")][-1]
    assert row.split() == ["polling", "96", "90", "85", "1", "4", "3", "2", "1", "0", "7"]


def test_lost_tasks_a_late_load_process_and_an_early_end_are_said_plainly() -> None:
    late = spread(0.01, 0.04, 0.09)
    said = warnings([found("polling", replace(WELL, completed=94, lost=2), lateness=late)], interrupted=True)
    assert len(said) == 3
    assert "so far" in said[0]
    assert "late (p99 90 ms)" in said[1]
    assert "2 accepted tasks had no outcome" in said[2]
    assert warnings([found("polling")], interrupted=False) == []


def test_medians_within_each_other_s_intervals_are_named_as_ties_within_their_question_only() -> None:
    same, other = spread(0.010, 0.1, 0.2, width=0.002), spread(0.020, 0.1, 0.2, width=0.002)
    mine = [
        found("celery_queue", submit_latency=other, end_to_end=other, notification_lag=other),
        found("in_memory_queue", submit_latency=same, end_to_end=same, notification_lag=same),
        found("webhook", submit_latency=same, end_to_end=other, notification_lag=None),
    ]
    assert ties(mine) == "submit of in_memory_queue = webhook"
    assert ties(mine[:2]) == "none"
    everyone = [found(name) for name in PATTERNS]
    assert "submit of background_tasks = celery_queue = in_memory_queue" in ties(everyone)


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (96, "p95 is number 5 from the longest, and p99 is the longest"),
        (240, "p95 is number 13 from the longest, and p99 is number 3 from the longest"),
    ],
)
def test_how_many_values_a_percentile_rests_on_is_told(count: int, words: str) -> None:
    text = " ".join(how_to_read([found("polling", replace(WELL, offered=count))], QUICK))
    assert words in text


def test_a_pattern_that_accepted_nothing_is_shown_without_figures() -> None:
    nothing = replace(WELL, accepted=0, completed=0, refused=96)
    blank = found(
        "polling",
        nothing,
        submit_latency=None,
        end_to_end=None,
        notification_lag=None,
        tasks_per_second=None,
        requests_per_task=None,
    )
    row = next(line for line in shown([blank]).splitlines() if line.startswith("polling"))
    assert row.split() == ["polling", *["–"] * 8, "0"]  # noqa: RUF001 the dash that means "no figure"


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "–"), (0.0004, "0.4"), (0.0099, "9.9"), (0.0104, "10"), (12.3456, "12346")]  # noqa: RUF001
)  # fmt: skip
def test_short_times_keep_a_decimal(seconds: float | None, text: str) -> None:
    assert milliseconds(seconds) == text
