"""A single round names no winner for a lead that does not matter, in every format of the report."""

import re
from functools import partial

import pytest

from benchmarks.analysis.analyse_run import analyse_samples
from benchmarks.analysis.findings import Findings
from benchmarks.analysis.margin import margin
from benchmarks.analysis.measures import Measure
from benchmarks.records.run import Trial
from benchmarks.records.samples import Sample
from benchmarks.report.ranking import TOO_CLOSE, rank
from tests.benchmarks.rendered import html_report, markdown_report, summary
from tests.benchmarks.trial_factory import record, rows, trial


def _nearly(latency: float, number: int) -> dict[str, float]:
    return {"latency": latency + number / 1e6}


def apart(seconds: float, *, rounds: int = 1, null_spread: float = 0.001) -> Findings:
    """Two contenders whose submits differ by `seconds`, nearly without noise, and a null contender with noise."""
    everything: list[Sample] = []
    trials: list[Trial] = []
    for turn in range(1, rounds + 1):
        for at, (name, latency) in enumerate({"slow": 0.005 + seconds, "quick": 0.005}.items()):
            samples = rows(60, trial=10 * turn + at, pattern=name, make=partial(_nearly, latency))
            everything += samples
            trials.append(trial(samples, round=turn))
        samples = rows(
            60, trial=10 * turn + 9, pattern="null", work=0.0, lag=0.0,
            make=lambda n: {"latency": 0.001 + (null_spread if n > 50 else 0.0)},
        )  # fmt: skip
        everything += samples
        trials.append(trial(samples, round=turn))
    return analyse_samples(record(trials, ["slow", "quick", "null"]), everything, {})


def formats(findings: Findings) -> dict[str, str]:
    """Every format of the report."""
    html = html_report(findings).partition("<script>/**")[0]
    return {
        "terminal": " ".join(" ".join(summary(findings)).split()),
        "html": html,
        "markdown": markdown_report(findings),
    }


def winner(findings: Findings) -> tuple[str, ...]:
    """The contenders with the lowest submit latency."""
    return rank(findings, ("slow", "quick"), Measure.SUBMIT_LATENCY).best


@pytest.mark.parametrize("form", ["terminal", "html", "markdown"])
def test_a_lead_that_does_not_matter_is_too_close_to_call_everywhere(form: str) -> None:
    close, clear = (re.sub("`|</?code>", "", formats(apart(seconds))[form]) for seconds in (0.006, 0.060))
    assert f"{TOO_CLOSE} (submit takes" in close.replace("Too", "too")
    assert "Use quick" not in close
    assert "is the quickest" not in close
    assert "Use quick: submit takes" in clear


def test_one_round_names_a_winner_whose_lead_exceeds_the_margin() -> None:
    assert set(winner(apart(0.006))) == {"slow", "quick"}
    assert winner(apart(0.060)) == ("quick",)


def test_a_lead_within_the_noise_of_the_null_contender_does_not_count() -> None:
    assert set(winner(apart(0.060, null_spread=0.025))) == {"slow", "quick"}
    assert winner(apart(0.060, null_spread=0.015)) == ("quick",)


def test_several_rounds_need_no_margin() -> None:
    assert winner(apart(0.006, rounds=3)) == ("quick",)


def test_the_margin_is_the_largest_of_three() -> None:
    assert margin(0.002, 0.003, 0.0) == 0.010
    assert margin(0.100, 0.300, 0.0) == 0.025
    assert margin(0.002, 0.003, 0.020) == pytest.approx(0.060)
