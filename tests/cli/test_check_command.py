"""`kit check`, as a learner and a teacher use it: exit codes, files, and a clear error if it cannot run."""

import ast
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from exercises.course import HERE, SOLUTIONS, course
from exercises.diagnoses import diagnosis
from tests.cli.command import Kit
from tests.cli.learners_folder import solve

FIRST = course()[0]


def counts() -> tuple[int, int]:
    """How many checks the first exercise has, and how many points they give."""
    checkpoint = ast.parse((HERE.parent / "tests/checkpoints" / f"test_{FIRST.folder}.py").read_text())
    checks = [node for node in checkpoint.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    marks = "\n".join(ast.unparse(mark) for check in checks for mark in check.decorator_list)
    worth = [int(points) for points in re.findall(r"mark\.points\((\d+)\)", marks)]
    return len(checks), len(checks) - len(worth) + sum(worth)


CHECKS, POINTS = counts()


def change(folder: Path, old: str, new: str) -> None:
    """Make a mistake in the solved first exercise."""
    solve(folder, FIRST)
    file = folder / FIRST.folder / "app.py"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_a_stub_fails_with_the_open_gap(kit: Kit, mine: Path) -> None:
    ended = kit.at(mine, "check")
    assert ended.code == 1
    assert "NOT_IMPLEMENTED: A gap in the stub is still open." in ended.out
    assert "TODO 1" in ended.out
    assert f"0 of {CHECKS} checks, 0 of {POINTS} points" in ended.out


def test_a_pass_is_recorded_and_the_next_exercise_is_named(kit: Kit, mine: Path) -> None:
    solve(mine, FIRST)
    ended = kit.at(mine, "check")
    assert ended.code == 0, ended.out
    assert f"{CHECKS} of {CHECKS} checks, {POINTS} of {POINTS} points" in ended.out
    assert f"1 of {len(course())} passed. Next: exercise 2" in ended.out
    assert "passed" in json.loads((mine / "progress.json").read_text())["exercises"]["submit_and_poll"]
    assert "✓  1  Submit and poll" in kit.at(mine, "list").out


def test_a_failure_is_not_recorded(kit: Kit, mine: Path) -> None:
    kit.at(mine, "check", "1")
    assert json.loads((mine / "progress.json").read_text())["exercises"] == {}


def test_half_a_solution_gets_half_of_the_points(kit: Kit, mine: Path, tmp_path: Path) -> None:
    change(mine, 'raise HTTPException(404, f"There is no task {task_id}.")', "return {}")
    grade = tmp_path / "grade.json"

    ended = kit.at(mine, "check", "1", "--json", str(grade))

    assert ended.code == 1
    said = json.loads(grade.read_text())
    assert said["format"] == 1
    assert (said["result"], said["points"], said["of"]) == ("failed", POINTS - 1, POINTS)
    (exercise,) = said["exercises"]
    assert (exercise["exercise"], exercise["number"], exercise["result"]) == ("submit_and_poll", 1, "failed")
    (failed,) = [check for check in exercise["checks"] if check["verdict"] != "passed"]
    assert len(exercise["checks"]) == CHECKS
    assert (failed["verdict"], failed["check"], failed["code"]) == (
        "failed",
        "an_unknown_id_is_404",
        "UNKNOWN_ID_NOT_404",
    )
    assert failed["seconds"] >= 0
    assert failed["text"] in ended.out


def test_junit_xml_has_the_same_outcomes(kit: Kit, mine: Path, tmp_path: Path) -> None:
    change(mine, 'task["status"] = "completed"', "pass")
    file = tmp_path / "grade.xml"

    assert kit.at(mine, "check", "1", "--junit", str(file)).code == 1

    cases = list(ET.parse(file).getroot().iter("testcase"))  # noqa: S314 written a moment ago by pytest
    assert len(cases) == CHECKS
    failed = [case for case in cases if case.find("failure") is not None]
    assert failed
    assert "STUCK_RUNNING" in ET.tostring(failed[0], encoding="unicode")
    properties = {p.get("name"): p.get("value") for p in failed[0].iter("property")}
    assert properties == {"verdict": "failed", "code": "STUCK_RUNNING", "points": "0/2"}


def test_several_are_checked_in_the_order_asked_for(kit: Kit, mine: Path) -> None:
    solve(mine, FIRST)
    ended = kit.at(mine, "check", "2", "1")
    assert ended.code == 1
    assert ended.out.index("2. Track progress") < ended.out.index("1. Submit and poll")
    assert f"1 of {len(course())} passed" in kit.at(mine, "list").out


def test_a_folder_without_progress_is_checked_and_left_alone(kit: Kit, tmp_path: Path) -> None:
    solve(tmp_path, FIRST)
    ended = kit("check", "1", "--dir", str(tmp_path))
    assert ended.code == 0, ended.out
    assert [path.name for path in tmp_path.iterdir()] == [FIRST.folder]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["check", "1"], "kit init DIR"),
        (["check", "--dir", "nowhere"], "kit init DIR"),
        (["check", "99", "--solutions"], f"There are 1 to {len(course())}"),
        (["check", "--exercise", "1"], "--exercise needs --url"),
        (["check", "--url", "localhost:8000"], "http://HOST:PORT"),
        (["check", "--url", "http://127.0.0.1:9", "--all"], "--exercise N"),
        (["check", "--url", "http://127.0.0.1:9", "--exercise", "99"], f"There are 1 to {len(course())}"),
        (["list"], "kit init DIR"),
        (["hint"], "kit init DIR"),
        (["watch"], "kit init DIR"),
        (["solution", "1"], "kit init DIR"),
        (["reset", "1"], "kit init DIR"),
        (["update"], "kit init DIR"),
        (["explain", "SUBMIT_BLOCK"], "Did you mean SUBMIT_BLOCKS?"),
        (["explain", "NONSENSE"], "kit explain"),
    ],
)
def test_a_check_that_cannot_run_is_one_line_and_exits_with_2(
    kit: Kit, tmp_path: Path, arguments: list[str], part: str
) -> None:
    ended = kit.at(tmp_path, *arguments)
    assert ended.code == 2
    assert part in ended.line


def test_a_missing_file_is_inconclusive_and_says_how_to_get_it_back(kit: Kit, mine: Path) -> None:
    (mine / FIRST.folder / "app.py").unlink()
    ended = kit.at(mine, "check", "1")
    assert ended.code == 2
    last = ended.out.splitlines()[-1]
    assert last == f"Missing: {FIRST.folder}/app.py. To restore: kit reset 1"
    assert "kit doctor" not in ended.out

    kit.at(mine, "reset", "1")
    assert kit.at(mine, "check", "1").code == 1


def test_a_json_file_that_cannot_be_written_is_reported(kit: Kit, mine: Path) -> None:
    solve(mine, FIRST)
    ended = kit.at(mine, "check", "1", "--json", str(mine / "no" / "where.json"))
    assert ended.code == 2
    assert "No such file" in ended.line


def test_hints_come_one_by_one_and_end(kit: Kit, mine: Path) -> None:
    hints = FIRST.hints()
    said = [kit.at(mine, "hint", "1").out for _ in range(len(hints) + 1)]
    for number, text in enumerate(said[:-1], start=1):
        assert f"hint {number} of {len(hints)}" in text
    assert "solution 1 --anyway" in said[-1]


def test_the_hints_so_far_can_be_read_again_without_another(kit: Kit, mine: Path) -> None:
    assert "kit hint 1" in kit.at(mine, "hint", "1", "--again").out
    for _ in range(2):
        kit.at(mine, "hint", "1")
    for _ in range(2):
        again = kit.at(mine, "hint", "1", "--again").out
        assert [f"hint {number} of" in again for number in (1, 2, 3)] == [True, True, False]
    assert "hint 3 of" in kit.at(mine, "hint", "1").out


def test_a_solution_is_shown_once_passed_or_anyway(kit: Kit, mine: Path) -> None:
    ours = (SOLUTIONS / FIRST.folder / "app.py").read_text()
    refused = kit.at(mine, "solution", "1")
    assert refused.code == 1
    assert "kit hint 1" in refused.line
    assert ours in kit.at(mine, "solution", "1", "--anyway").out
    solve(mine, FIRST)
    assert kit.at(mine, "check", "1").code == 0
    assert ours in kit.at(mine, "solution", "1").out


def test_every_code_is_listed_and_explained(kit: Kit, tmp_path: Path) -> None:
    listed = kit.at(tmp_path, "explain").out
    assert "SUBMIT_BLOCKS" in listed
    outcome = kit.at(tmp_path, "explain", "submit-blocks")
    assert outcome.code == 0
    assert "What it should look like" in outcome.out


def test_a_drawing_keeps_its_lines_however_narrow_the_screen(kit: Kit) -> None:
    drawn = diagnosis("LOOP_BLOCKED").story.split("```")[1].splitlines()[1:]
    lines = kit("explain", "LOOP_BLOCKED", COLUMNS="60").out.splitlines()
    assert max(map(len, drawn)) > 60
    assert [line for line in lines if line in drawn] == drawn


def test_the_doctor_finds_no_problem_here(kit: Kit, mine: Path) -> None:
    ended = kit.at(mine, "doctor")
    assert ended.code == 0, ended.out
    assert f"0 of {len(course())} passed" in ended.out
    assert "✗" not in ended.out


def test_the_doctor_reports_what_is_missing(kit: Kit, mine: Path) -> None:
    (mine / FIRST.folder / "app.py").unlink()
    ended = kit.at(mine, "doctor")
    assert ended.code == 1
    assert "kit reset 1" in ended.out


def test_the_users_own_pytest_options_change_nothing(kit: Kit) -> None:
    settings = {"PYTEST_ADDOPTS": "--durations=3 --no-such-option", "PYTEST_PLUGINS": "no_such_plugin"}
    assert kit("check", "8", "--solutions", **settings).code == 0
