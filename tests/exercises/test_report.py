"""What a learner reads of a check that failed: within twenty lines, and with the gaps that are still open."""

from pathlib import Path

from exercises.diagnoses import diagnosis
from tests.checkpoints.engine.diagnosis.failures import Wrong
from tests.checkpoints.engine.diagnosis.learner_output import Raised
from tests.checkpoints.engine.diagnosis.report import failed, gaps
from tests.checkpoints.engine.diagnosis.timeline import Timeline


def test_a_failed_check_is_told_within_twenty_lines() -> None:
    timeline = Timeline()
    for number in range(60):
        timeline.note(f"event {number}")
    raised = Raised("app.py", 31, "status", "return tasks[task_id]", "KeyError: 'abc'")

    lines = failed(
        "A title",
        Wrong("SUBMIT_BLOCKS", "the last thing"),
        diagnosis("SUBMIT_BLOCKS"),
        timeline,
        raised,
        exercise=1,
        points="0 of 2 points",
    )

    assert len(lines) == 20
    assert lines[0] == "✗ A title  (0 of 2 points)"
    assert lines[1].endswith("event 0")
    assert any("more)" in line for line in lines)
    places = [
        next(n for n, line in enumerate(lines) if part in line)
        for part in ("the last thing", "app.py, line 31", "SUBMIT_BLOCKS:", "Likely", "Next", "More")
    ]
    assert places == sorted(places)


def test_a_timeline_gives_ids_short_names() -> None:
    timeline = Timeline()
    timeline.note("GET /agent/status/6f1f5c0b8f0e4a6c → 200")
    timeline.call("6f1f5c0b8f0e4a6c", "{task A}")
    assert timeline.lines(5) == ["  0.00 s  GET /agent/status/{task A} → 200"]


def test_gaps_that_are_open_are_named(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        'x = 1  # TODO 2: more\nraise NotImplementedError("TODO 2, in worker")  # TODO 3\n'
    )
    (tmp_path / "worker.py").write_text("# all done\n")
    assert gaps(tmp_path) == "TODO 2, TODO 3 in app.py may still be open. (Take the comment out where it is done.)"
    (tmp_path / "app.py").write_text("# done too\n")
    assert gaps(tmp_path) == ""


def test_a_gap_that_is_open_is_told_with_the_failure() -> None:
    told = failed(
        "A title",
        Wrong("SUBMIT_BLOCKS"),
        diagnosis("SUBMIT_BLOCKS"),
        Timeline(),
        None,
        exercise=1,
        points="0 of 2 points",
        still_open="TODO 3 in app.py.",
    )
    assert "  Open      TODO 3 in app.py." in told
