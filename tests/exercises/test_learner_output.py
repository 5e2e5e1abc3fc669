"""The exception that a learner sees: the last with a line in the learner's files, at that line."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from exercises.diagnoses import diagnosis
from tests.checkpoints.engine.diagnosis.causes import explain
from tests.checkpoints.engine.diagnosis.failures import Wrong
from tests.checkpoints.engine.diagnosis.learner_output import LearnerOutput, Raised, last_raised
from tests.checkpoints.engine.diagnosis.timeline import Timeline
from tests.checkpoints.engine.diagnosis.unawaited import MEANING, never_awaited
from tests.checkpoints.engine.processes.fork_main import COROUTINE_FRAMES
from tests.checkpoints.engine.processes.task_exceptions import print_task_exceptions

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


def test_an_exception_outside_the_learners_files_is_ignored() -> None:
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


def test_a_syntax_error_is_shown_at_its_line() -> None:
    said = (
        'Traceback (most recent call last):\n  File "/venv/importer.py", line 1, in load\n    exec(code)\n'
        '  File "/home/learner/ex01/app.py", line 29\n    x = uuid4(.hex\n          ^\nSyntaxError: invalid syntax\n'
    )
    found = last_raised(said, MINE)
    assert found == Raised("app.py", 29, "<module>", "x = uuid4(.hex", "SyntaxError: invalid syntax")


def test_an_exception_inside_an_exception_group_is_found() -> None:
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


def test_an_exception_raised_while_handling_another_is_shown() -> None:
    became = (
        "\nDuring handling of the above exception, another exception occurred:\n\n"
        'Traceback (most recent call last):\n  File "/venv/responses.py", line 60, in init_headers\n'
        "    v.encode()\nAttributeError: 'int' object has no attribute 'encode'\nINFO: more\n"
    )
    found = last_raised(PLAIN.removesuffix("INFO: more\n") + became, MINE)
    assert found is not None
    assert (found.line, found.error) == (31, "AttributeError: 'int' object has no attribute 'encode'")


FORGETFUL = """
import asyncio

async def main():
    asyncio.sleep(1)
    kept = asyncio.Queue().get()
    del kept

asyncio.run(main())
"""


def test_a_coroutine_that_was_never_awaited_is_shown_where_it_was_created(
    tmp_path: Path,
) -> None:
    (tmp_path / "app.py").write_text(FORGETFUL)
    track = f"import sys; sys.set_coroutine_origin_tracking_depth({COROUTINE_FRAMES}); import app"
    ran = subprocess.run([sys.executable, "-c", track], cwd=tmp_path, capture_output=True, text=True, check=True)
    found = never_awaited(ran.stderr, tmp_path)
    assert found is not None
    assert (found[0], found[1]["line"], found[1]["source"]) == ("Queue.get", "6", "kept = asyncio.Queue().get()")
    assert never_awaited(ran.stderr, MINE) is None
    assert last_raised(ran.stderr, tmp_path) is None


def test_the_exception_of_a_task_is_printed_at_once_unless_it_is_awaited(capsys: pytest.CaptureFixture[str]) -> None:
    async def dies(what: str) -> None:
        raise LookupError(what)

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(print_task_exceptions)
        kept = [asyncio.create_task(dies("alone"))]
        with pytest.raises(LookupError):
            await asyncio.create_task(dies("awaited"))
        printed = ""
        deadline = time.monotonic() + 10
        while "alone" not in printed and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
            printed += capsys.readouterr().err
        assert "LookupError: alone" in printed
        assert "awaited" not in printed
        assert kept[0].done()

    asyncio.run(main())


UNAWAITED = """\
/venv/loop.py:80: RuntimeWarning: coroutine 'audit' was never awaited
Coroutine created at (most recent call last)
  File "/home/learner/ex01/app.py", line 9, in hook
    audit(delivery)
  self._run()
RuntimeWarning: Enable tracemalloc to get the object allocation traceback
"""


def explained(code: str, output: str) -> tuple[Wrong, Raised | None]:
    """A diagnosis, and what is shown of the learner's code."""
    wrong = Wrong(code)
    process = cast("LearnerOutput", SimpleNamespace(output=output, folder=MINE))
    return wrong, explain(wrong, diagnosis(code), Timeline(), [process], None)


def test_a_coroutine_that_was_never_awaited_explains_missing_work() -> None:
    wrong, shown = explained("CALLBACK_DROPPED", UNAWAITED)
    assert shown == Raised("app.py", 9, "hook", "audit(delivery)", "coroutine 'audit' was never awaited", how="")
    assert (wrong.likely, wrong.next_step) == MEANING


def test_it_is_shown_but_explains_no_other_diagnosis() -> None:
    wrong, shown = explained("UNBOUNDED_QUEUE", UNAWAITED)
    assert shown is not None
    assert (shown.line, wrong.likely) == (9, "")


def test_an_exception_is_shown_rather_than_a_coroutine() -> None:
    _, shown = explained("SERVER_ERROR", PLAIN + UNAWAITED)
    assert shown is not None
    assert shown.error == "KeyError: 'abc'"


def test_an_exception_that_cannot_be_the_cause_is_not_shown() -> None:
    assert explained("HANDLED_TWICE", PLAIN)[1] is None


def test_a_gap_that_was_reached_is_the_only_diagnosis() -> None:
    wrong, shown = explained("HANDLED_TWICE", PLAIN.replace("KeyError: 'abc'", "NotImplementedError: TODO 2"))
    assert (wrong.code, shown is not None) == ("NOT_IMPLEMENTED", True)
