"""The course is complete: nothing is missing, unlisted or unexplained."""

import ast
import re
import sys
from pathlib import Path

import pytest

from exercises import diagnoses
from exercises.course import HERE, SOLUTIONS, Exercise, NoSuchExercise, course, exercise
from exercises.diagnoses import codes, diagnosis

ROOT = HERE.parent
CHECKPOINTS = ROOT / "tests" / "checkpoints"
ENGINE = CHECKPOINTS / "engine"
MISTAKES = ROOT / "tests" / "mistakes"

each = pytest.mark.parametrize("exercise", course(), ids=lambda exercise: exercise.folder)


def lines_of(where: Path, exercise: Exercise) -> set[str]:
    return {line.strip() for file in exercise.files for line in (where / file).read_text().splitlines()}


def folders(where: Path) -> list[str]:
    return sorted(path.name for path in where.glob("ex[0-9]*") if path.is_dir())


def test_the_course_lists_every_folder_and_nothing_else() -> None:
    listed = [exercise.folder for exercise in course()]
    assert listed == sorted(listed)
    assert folders(HERE) == folders(SOLUTIONS) == folders(MISTAKES) == listed
    assert sorted(path.stem for path in CHECKPOINTS.glob("test_ex*.py")) == [f"test_{name}" for name in listed]


def test_numbers_count_up_and_names_are_unique() -> None:
    assert [exercise.number for exercise in course()] == list(range(1, len(course()) + 1))
    assert len({exercise.name for exercise in course()}) == len(course())


@each
def test_an_exercise_has_its_files_and_no_others(exercise: Exercise) -> None:
    assert {path.name for path in exercise.given.iterdir() if path.is_file()} == {
        *exercise.files,
        "README.md",
        "hints.md",
    }
    assert {path.name for path in exercise.solution.iterdir() if path.is_file()} == set(exercise.files)


#: What a stub or a solution may import besides the standard library: libraries for production code, and the agent.
_ALLOWED = {"fastapi", "pydantic", "starlette", "httpx", "celery", "redis", "standardwebhooks", "patterns"}


@each
@pytest.mark.parametrize("where", [HERE, SOLUTIONS], ids=["stub", "solution"])
def test_learner_code_imports_only_libraries_and_the_agent(exercise: Exercise, where: Path) -> None:
    for file in exercise.files:
        for node in ast.walk(ast.parse((where / exercise.folder / file).read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                top = name.partition(".")[0]
                beside = f"{top}.py" in exercise.files
                assert beside or top in _ALLOWED or top in sys.stdlib_module_names, f"{file} imports {name}"
                assert top != "patterns" or name == "patterns.practice"


@each
def test_a_stub_has_a_marked_gap_and_a_solution_has_none(exercise: Exercise) -> None:
    assert any("# TODO 1" in (exercise.given / file).read_text() for file in exercise.files)
    assert not any("TODO" in (exercise.solution / file).read_text() for file in exercise.files)


@each
def test_the_gaps_of_a_stub_are_numbered_from_one(exercise: Exercise) -> None:
    numbers = {
        int(n) for file in exercise.files for n in re.findall(r"# TODO (\d+)", (exercise.given / file).read_text())
    }
    assert numbers == set(range(1, len(numbers) + 1))


@each
def test_there_are_at_least_three_hints_and_none_is_empty(exercise: Exercise) -> None:
    hints = exercise.hints()
    assert len(hints) >= 3
    assert all(len(hint) > 30 for hint in hints)


@each
def test_no_hint_reveals_the_solution(exercise: Exercise) -> None:
    telling = {
        line for line in lines_of(exercise.solution, exercise) - lines_of(exercise.given, exercise) if len(line) > 40
    }
    text = "\n".join(exercise.hints())
    assert [line for line in telling if line in text] == []


@each
def test_the_readme_has_number_title_minutes_and_command(exercise: Exercise) -> None:
    text = (exercise.given / "README.md").read_text()
    assert text.startswith(f"# {exercise.number}. {exercise.title}\n")
    assert f"**{exercise.minutes} minutes.**" in text
    assert f"kit check {exercise.number}" in text
    for part in ("## Why", "## What to build", "## What the checkpoint looks at", "## Read"):
        assert part in text


@each
def test_there_are_at_least_six_mistakes(exercise: Exercise) -> None:
    assert len(list((MISTAKES / exercise.folder).glob("*.toml"))) >= 6


@each
def test_every_mistake_has_a_text_and_every_text_a_mistake(exercise: Exercise) -> None:
    folder = MISTAKES / exercise.folder
    assert {path.stem for path in folder.glob("*.toml")} == {path.stem for path in folder.glob("*.txt")}


def test_the_course_page_lists_the_exercises() -> None:
    page = (HERE / "README.md").read_text()
    for listed in course():
        link = f"[{listed.title}]({listed.folder}/README.md)"
        row = f"| {listed.number} | {link} | `{listed.pattern}` | {listed.minutes} | {listed.able} |"
        assert row in page


def test_an_exercise_is_found_by_number_name_and_folder() -> None:
    third = course()[2]
    for which in ("3", "03", "ex03", third.name, third.folder, f"{third.folder}/"):
        assert exercise(which) == third


@pytest.mark.parametrize("which", ["0", str(len(course()) + 1), "three", "", "ex"])
def test_an_unknown_exercise_is_an_error(which: str) -> None:
    with pytest.raises(NoSuchExercise, match=f"There are 1 to {len(course())}:"):
        exercise(which)


def test_every_code_is_explained_and_every_explanation_is_used() -> None:
    given = set()
    for path in CHECKPOINTS.rglob("*.py"):
        given |= set(re.findall(r'"([A-Z0-9]+(?:_[A-Z0-9]+)+|CRASHED)"', path.read_text()))
    assert set(codes()) - given == set()
    assert {code for code in given if code not in codes()} - _NOT_CODES == set()


@pytest.mark.parametrize("path", sorted(ENGINE.rglob("*.py")), ids=lambda path: str(path.relative_to(ENGINE)))
def test_the_engine_has_no_list_of_codes(path: Path) -> None:
    """A new code is one file, which contains all that the engine must know about it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Set | ast.List | ast.Tuple | ast.Dict):
            inside = {
                part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)
            }
            assert inside.isdisjoint(codes()), f"line {node.lineno}"


#: Names of environment variables in the checkpoints, which look like codes.
_NOT_CODES = {
    "KIT_RANDOM_SEED",
    "XDG_CACHE_HOME",
    "KIT_PRACTICE_DESK",
    "KIT_WEBHOOK_SECRET",
    "NO_PROXY",
    "PYTHONUNBUFFERED",
    "REDIS_URL",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "WEBHOOK_SECRET",
}


@pytest.mark.parametrize("code", codes())
def test_a_diagnosis_has_its_parts_and_a_drawing(code: str) -> None:
    found = diagnosis(code)
    assert found.title[-1] not in ".!"
    assert found.likely
    assert found.next_step
    assert "```text" in found.story


@pytest.mark.parametrize(
    ("front_matter", "unknown"),
    [
        ("explained-by: magic", "magic"),
        ("explains: sleep", "explains"),
        ("shows-exceptions: maybe", "shows-exceptions"),
    ],
)
def test_an_unknown_property_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, front_matter: str, unknown: str
) -> None:
    monkeypatch.setattr(diagnoses, "_HERE", tmp_path)
    (tmp_path / "MADE_UP.md").write_text(f"---\n{front_matter}\n---\n# T\n\nLikely: l\n\nNext: n\n\nStory.\n")
    with pytest.raises(ValueError, match=unknown):
        diagnosis("MADE_UP")


def test_a_file_has_what_the_checks_must_know_about_its_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnoses, "_HERE", tmp_path)
    properties = "explained-by: sleep, mistake\nshows-exceptions: no\nfatal: nothing starts"
    (tmp_path / "NEW_CODE.md").write_text(f"---\n{properties}\n---\n# T\n\nLikely: l\n\nNext: n\n\nStory.\n")
    found = diagnosis("NEW_CODE")
    assert (found.title, found.story) == ("T", "Story.")
    assert found.explained_by == {"sleep", "mistake"}
    assert not found.shows_exceptions
    assert found.fatal == "nothing starts"
