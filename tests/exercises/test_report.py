"""What a learner reads of an exception: the last that came through the learner's own files, at the learner's line."""

from pathlib import Path

from tests.checkpoints.report import Raised, failed, last_raised
from tests.checkpoints.timeline import Timeline
from tests.checkpoints.verdict import Wrong

MINE = Path("/home/learner/ex01")

PLAIN = """\
INFO: started
Traceback (most recent call last):
  File "/venv/uvicorn/server.py", line 10, in run
    return await app(scope)
  File "/home/learner/ex01/app.py", line 31, in status
    return tasks[task_id]
           ~~~~~^^^^^^^^^
KeyError: 'abc'
INFO: more
"""


def test_the_learners_line_and_the_error_are_found() -> None:
    assert last_raised(PLAIN, MINE) == Raised("app.py", 31, "status", "return tasks[task_id]", "KeyError: 'abc'")


def test_an_exception_elsewhere_is_nobodys() -> None:
    assert last_raised(PLAIN.replace("/home/learner", "/venv"), MINE) is None
    assert last_raised("", MINE) is None


def test_frames_below_the_learners_are_left_out() -> None:
    deeper = PLAIN.replace("KeyError", '  File "/venv/lib.py", line 3, in inner\n    raise\nlib.OddError', 1)
    found = last_raised(deeper, MINE)
    assert found == Raised("app.py", 31, "status", "return tasks[task_id]", "lib.OddError: 'abc'")


def test_the_last_of_several_counts() -> None:
    found = last_raised(PLAIN + PLAIN.replace("line 31", "line 77"), MINE)
    assert found is not None
    assert found.line == 77


def test_a_syntax_error_is_told_at_its_line() -> None:
    said = (
        'Traceback (most recent call last):\n  File "/venv/importer.py", line 1, in load\n    exec(code)\n'
        '  File "/home/learner/ex01/app.py", line 29\n    x = uuid4(.hex\n          ^\nSyntaxError: invalid syntax\n'
    )
    found = last_raised(said, MINE)
    assert found == Raised("app.py", 29, "<module>", "x = uuid4(.hex", "SyntaxError: invalid syntax")


def test_an_exception_group_is_looked_into() -> None:
    said = """\
  + Exception Group Traceback (most recent call last):
  |   File "/venv/starlette.py", line 5, in run
  |     raise
  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/home/learner/ex01/app.py", line 12, in work
    |     1 / 0
    | ZeroDivisionError: division by zero
    +------------------------------------
"""
    found = last_raised(said, MINE)
    assert found == Raised("app.py", 12, "work", "1 / 0", "ZeroDivisionError: division by zero")


def test_a_failed_check_is_told_within_twenty_lines() -> None:
    timeline = Timeline()
    for number in range(60):
        timeline.note(f"event {number}")
    raised = last_raised(PLAIN, MINE)

    lines = failed("A title", Wrong("SUBMIT_BLOCKS", "the last thing"), timeline, raised, 1, "0 of 2 points")

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
