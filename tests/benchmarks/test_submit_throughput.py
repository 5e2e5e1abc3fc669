"""`submit_throughput`: its arithmetic, and a short run, so that the command keeps working."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.scale.hammer import HammerFailed, run_hammer
from benchmarks.scale.http_connection import AnswerReader, BadAnswer
from benchmarks.scale.submit_throughput.measurement import Rounds, ThroughputTrial, ratios, reached, run_trial, warnings
from benchmarks.scale.submit_throughput.table import table
from benchmarks.scale.submit_throughput.targets import TARGETS, Bound, Target
from tests.benchmarks.fake_server import Behaviour, serving

ANSWER = b'HTTP/1.1 202 Accepted\r\ndate: now\r\nContent-Length: 15\r\nx: y\r\n\r\n{"task_id": "a"'


def rounds(*speeds: dict[str, float], refused: int = 0, hammer: float = 0.1) -> Rounds:
    """Rounds in which each target has this throughput."""
    return [
        {name: ThroughputTrial(speed, refused, 0.5, hammer) for name, speed in speeds_of_round.items()}
        for speeds_of_round in speeds
    ]


def all_targets(**speeds: float) -> dict[str, float]:
    """The throughput of all targets, by default 1,000 per second."""
    return {contender.name: 1000.0 for contender in TARGETS} | speeds


def test_a_response_is_assembled_wherever_it_was_split() -> None:
    for cut in range(1, len(ANSWER)):
        reader = AnswerReader()
        assert reader.feed(ANSWER[:cut]) is None
        answer = reader.feed(ANSWER[cut:])
        assert answer is not None
        assert (answer.status, answer.body) == (202, b'{"task_id": "a"')


def test_one_reader_reads_several_responses() -> None:
    reader = AnswerReader()
    assert [reader.feed(ANSWER) is not None for _ in range(3)] == [True] * 3


@pytest.mark.parametrize("bad", [b"", b"HTTP/1.1 200 OK\r\n\r\n", b"SSH-2.0\r\ncontent-length: 1\r\n\r\n"])
def test_an_invalid_response_is_refused(bad: bytes) -> None:
    with pytest.raises(BadAnswer):
        AnswerReader().feed(bad)


def test_the_hammer_counts_every_response_by_status() -> None:
    with serving(Behaviour(refuse_after=150)) as server:
        result = run_hammer(int(server.url.rpartition(":")[2]), '{"prompt": "x"}', 4, answers=200)
    assert result.statuses == {202: 150, 503: 50}
    assert result.others == 50
    assert set(result.task_ids) <= set(server.accepted)


def test_a_hammer_without_a_server_fails_in_one_line() -> None:
    with pytest.raises(HammerFailed, match="Connection refused"):
        run_hammer(1, "{}", 1, answers=1)


def test_a_ratio_is_taken_within_a_round_so_that_a_slow_round_does_not_count() -> None:
    contender = Target("mine", (), bound=Bound("ceiling", 0.75))
    done = rounds({"ceiling": 1000, "mine": 800}, {"ceiling": 100, "mine": 80}, {"ceiling": 1000, "mine": 400})
    assert ratios(done, contender) == [0.8, 0.8, 0.4]
    assert reached(done, contender)
    assert not reached(done[2:], contender)
    assert reached(done[2:], Target("ceiling", ()))


def test_the_table_has_a_row_for_each_target_with_its_ratio_and_bound() -> None:
    text = io.StringIO()
    done = rounds(all_targets(webhook=800.0), all_targets(webhook=900.0, ceiling=2000.0), all_targets(webhook=850.0))
    Console(file=text, width=140).print(table(done))
    line = next(line for line in text.getvalue().splitlines() if line.startswith("webhook"))
    assert line.split()[1:6] == ["850", "800-900", "0.80", "0.45-0.85", "0.80"]
    assert ">= 0.75 of ceiling" in line


def test_refused_submits_and_a_saturated_hammer_give_warnings() -> None:
    assert warnings(rounds(all_targets())) == []
    assert len(warnings(rounds(all_targets(), refused=3))) == len(TARGETS)
    assert "may be the bottleneck" in warnings(rounds(all_targets(), hammer=0.9))[0]


def test_every_bound_refers_to_a_target_that_runs() -> None:
    names = [contender.name for contender in TARGETS]
    assert len(names) == len(set(names))
    assert all(contender.bound.against in names for contender in TARGETS if contender.bound)


def test_in_a_trial_of_the_fastest_server_no_submit_is_refused_and_the_hammer_is_not_saturated(tmp_path: Path) -> None:
    ceiling = next(target for target in TARGETS if target.name == "ceiling")
    trial = run_trial(ceiling, seconds=0.5, warm_up=0.1, connections=16, log=tmp_path / "log")
    assert trial.per_second > 50
    assert trial.not_accepted == 0
    assert trial.hammer_share < trial.server_share
