"""The text for a failed check: at most twenty lines, with the gaps that are still open."""

from pathlib import Path

from exercises.diagnoses import diagnosis
from tests.checkpoints.engine.diagnosis.failures import Wrong
from tests.checkpoints.engine.diagnosis.learner_output import Raised
from tests.checkpoints.engine.diagnosis.report import failed, gaps
from tests.checkpoints.engine.diagnosis.timeline import Timeline


def test_a_failed_check_takes_at_most_twenty_lines() -> None:
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


def test_a_timeline_shows_short_names_instead_of_ids() -> None:
    timeline = Timeline()
    timeline.note("GET /agent/status/6f1f5c0b8f0e4a6c → 200")
    timeline.call("6f1f5c0b8f0e4a6c", "{task A}")
    assert timeline.lines(5) == ["  0.00 s  GET /agent/status/{task A} → 200"]


def test_open_gaps_are_named(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        'x = 1  # TODO 2: more\nraise NotImplementedError("TODO 2, in worker")  # TODO 3\n'
    )
    (tmp_path / "worker.py").write_text("# all done\n")
    assert gaps(tmp_path) == (
        "TODO 2, TODO 3 in app.py may still be open. (Remove the comment when you have filled the gap.)"
    )
    (tmp_path / "app.py").write_text("# done too\n")
    assert gaps(tmp_path) == ""


def test_an_open_gap_is_shown_with_the_failure() -> None:
    shown = failed(
        "A title",
        Wrong("SUBMIT_BLOCKS"),
        diagnosis("SUBMIT_BLOCKS"),
        Timeline(),
        None,
        exercise=1,
        points="0 of 2 points",
        still_open="TODO 3 in app.py.",
    )
    assert "  Open      TODO 3 in app.py." in shown
