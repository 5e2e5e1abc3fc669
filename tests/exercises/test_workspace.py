"""A learner's folder: no work of the learner is ever lost."""

import json
import shutil
from pathlib import Path

import pytest

from exercises.workspace import NoWorkspace, Update, Workspace, WorkspaceError
from tests.exercises.changing_kit import Kit


@pytest.fixture
def kit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kit:
    return Kit(tmp_path / "kit", monkeypatch)


@pytest.fixture
def mine(kit: Kit, tmp_path: Path) -> Workspace:
    return Workspace.make(tmp_path / "mine")


def test_everything_is_copied_except_the_hints(mine: Workspace) -> None:
    copied = {str(path.relative_to(mine.path)) for path in mine.path.rglob("*") if path.is_file()}
    assert {name for name in copied if not name.startswith(".")} == {
        "README.md",
        "progress.json",
        *(f"{folder}/{file}" for folder in ("ex01_first", "ex02_second") for file in ("app.py", "README.md")),
    }


def test_a_folder_that_is_not_empty_is_not_touched(kit: Kit, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "thesis.txt").write_text("years of work")

    with pytest.raises(WorkspaceError, match="not empty"):
        Workspace.make(tmp_path / "there")

    assert [path.name for path in (tmp_path / "there").iterdir()] == ["thesis.txt"]


def test_a_folder_with_exercises_is_not_made_twice(mine: Workspace) -> None:
    with pytest.raises(WorkspaceError, match="kit update"):
        Workspace.make(mine.path)


def test_a_file_with_the_name_of_the_folder_is_reported(kit: Kit, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="Choose another"):
        Workspace.make(tmp_path / "file")


def test_an_update_without_changes_does_nothing(mine: Workspace) -> None:
    done = mine.update()
    assert done == Update()


def test_an_update_adds_new_exercises(kit: Kit, mine: Workspace) -> None:
    kit.offer("ex01_first", "ex02_second", "ex03_third")
    assert sorted(mine.update().new) == ["ex03_third/README.md", "ex03_third/app.py"]


def test_an_update_replaces_a_file_that_the_learner_did_not_change(kit: Kit, mine: Workspace) -> None:
    (kit.folder / "ex01_first" / "app.py").write_text("better\n")
    assert mine.update().updated == ["ex01_first/app.py"]
    assert (mine.path / "ex01_first" / "app.py").read_text() == "better\n"


def test_an_update_never_touches_a_file_that_the_learner_changed(kit: Kit, mine: Workspace) -> None:
    own = mine.path / "ex01_first" / "app.py"
    own.write_text("my work\n")
    (kit.folder / "ex01_first" / "app.py").write_text("better\n")

    for _ in range(2):  # and reports it each time
        assert mine.update().kept == ["ex01_first/app.py"]
        assert own.read_text() == "my work\n"


def test_a_changed_file_whose_stub_did_not_change_is_not_mentioned(mine: Workspace) -> None:
    (mine.path / "ex01_first" / "app.py").write_text("my work\n")
    assert mine.update().kept == []


def test_an_update_restores_missing_files(mine: Workspace) -> None:
    shutil.rmtree(mine.path / "ex01_first")
    (mine.path / "ex02_second" / "README.md").unlink()
    (mine.path / "ex02_second" / "app.py").write_text("my work\n")

    done = mine.update()

    assert done == Update(restored=["ex01_first/README.md", "ex01_first/app.py", "ex02_second/README.md"])
    assert [(mine.path / name).read_text() for name in done.restored] == [
        "README.md of first\n",
        "app.py of first\n",
        "README.md of second\n",
    ]
    assert (mine.path / "ex02_second" / "app.py").read_text() == "my work\n"


def test_other_line_endings_are_not_a_change(kit: Kit, mine: Workspace) -> None:
    (mine.path / "ex01_first" / "app.py").write_bytes(b"app.py of first\r\n")
    (kit.folder / "ex01_first" / "app.py").write_text("better\n")
    assert mine.update().updated == ["ex01_first/app.py"]


def test_a_renumbering_moves_the_folder_and_loses_nothing(kit: Kit, mine: Workspace) -> None:
    mine.mark_passed(kit.exercises[1])
    (mine.path / "ex02_second" / "app.py").write_text("my work\n")

    kit.offer("ex01_first", "ex02_between", "ex03_second")
    done = mine.update()

    assert done.moved == ["ex02_second → ex03_second"]
    assert (mine.path / "ex03_second" / "app.py").read_text() == "my work\n"
    assert Workspace(mine.path).passed(kit.exercises[2])
    assert not Workspace(mine.path).passed(kit.exercises[1])


def test_progress_is_stored_by_name_and_is_readable(kit: Kit, mine: Workspace) -> None:
    mine.mark_passed(kit.exercises[0])
    mine.saw_hint(kit.exercises[1], 2)

    progress = json.loads((mine.path / "progress.json").read_text())
    assert set(progress["exercises"]) == {"first", "second"}
    assert progress["exercises"]["second"] == {"hints": 2}
    assert Workspace(mine.path).next() == kit.exercises[1]


def test_the_time_of_the_first_pass_is_kept(kit: Kit, mine: Workspace) -> None:
    mine.mark_passed(kit.exercises[0])
    first = (mine.path / "progress.json").read_text()
    mine.mark_passed(kit.exercises[0])
    assert (mine.path / "progress.json").read_text() == first


def test_unknown_entries_in_the_progress_are_kept(kit: Kit, mine: Workspace) -> None:
    file = mine.path / "progress.json"
    before = json.loads(file.read_text())
    file.write_text(json.dumps({**before, "note": "mine", "exercises": {"of_another_kit": {"passed": "once"}}}))

    Workspace(mine.path).mark_passed(kit.exercises[0])

    after = json.loads(file.read_text())
    assert after["note"] == "mine"
    assert after["exercises"]["of_another_kit"] == {"passed": "once"}


BROKEN = [
    "",
    "[]",
    "{",
    "\ufffd",
    '{"version": 2, "exercises": {}}',
    '{"version": 1}',
    '{"version": 1, "exercises": {"first": 3}}',
]


@pytest.mark.parametrize("text", BROKEN)
def test_an_invalid_progress_is_reported_and_not_overwritten(mine: Workspace, text: str) -> None:
    file = mine.path / "progress.json"
    file.write_text(text)
    with pytest.raises(WorkspaceError, match=r"progress\.json .*move it away") as raised:
        Workspace.around(mine.path)
    assert not isinstance(raised.value, NoWorkspace)
    assert file.read_text() == text


def test_a_new_progress_replaces_one_that_was_moved_away(kit: Kit, mine: Workspace) -> None:
    mine.mark_passed(kit.exercises[0])
    (mine.path / "app.py").write_text("my work\n")
    (mine.path / "progress.json").rename(mine.path / "progress.json.broken")

    found = Workspace.around(mine.path / "ex01_first")
    assert (found.path, found.next()) == (mine.path, kit.exercises[0])
    found.mark_passed(kit.exercises[0])

    assert Workspace(mine.path).next() == kit.exercises[1]
    assert (mine.path / "app.py").read_text() == "my work\n"


def test_a_folder_whose_progress_was_moved_away_is_not_made_twice(mine: Workspace) -> None:
    (mine.path / "progress.json").unlink()
    with pytest.raises(WorkspaceError, match="kit update"):
        Workspace.make(mine.path)


def test_a_progress_that_cannot_be_written_is_reported(kit: Kit, mine: Workspace) -> None:
    shutil.rmtree(mine.path)
    with pytest.raises(WorkspaceError, match="Cannot write"):
        mine.saw_hint(kit.exercises[0], 1)


def test_every_reset_keeps_the_learners_version(kit: Kit, mine: Workspace) -> None:
    own = mine.path / "ex01_first" / "app.py"
    for number, text in enumerate(("one\n", "two\n"), start=1):
        own.write_text(text)
        assert mine.reset(kit.exercises[0]) == [("ex01_first/app.py", f"ex01_first/app.before-reset-{number}.py")]
        assert own.read_text() == "app.py of first\n"
        assert own.with_name(f"app.before-reset-{number}.py").read_text() == text


def test_a_reset_of_an_unchanged_stub_keeps_no_copy(kit: Kit, mine: Workspace) -> None:
    assert mine.reset(kit.exercises[0]) == []


def test_a_reset_restores_the_whole_exercise(kit: Kit, mine: Workspace) -> None:
    shutil.rmtree(mine.path / "ex01_first")
    assert mine.reset(kit.exercises[0]) == []
    assert sorted(path.name for path in (mine.path / "ex01_first").iterdir()) == ["README.md", "app.py"]


def test_a_reset_keeps_notes_in_the_readme_too(kit: Kit, mine: Workspace) -> None:
    (mine.path / "ex01_first" / "README.md").write_text("my notes\n")
    assert mine.reset(kit.exercises[0]) == [("ex01_first/README.md", "ex01_first/README.before-reset-1.md")]


def test_after_a_reset_to_a_newer_stub_no_update_is_reported(kit: Kit, mine: Workspace) -> None:
    (kit.folder / "ex01_first" / "app.py").write_text("better\n")
    assert mine.reset(kit.exercises[0]) == []  # the old stub is not the learner's work
    (mine.path / "ex01_first" / "app.py").write_text("my work\n")
    assert mine.update() == Update()


def test_a_subfolder_is_enough(mine: Workspace) -> None:
    assert Workspace.around(mine.path / "ex01_first").path == mine.path


def test_a_folder_just_below_is_found(mine: Workspace) -> None:
    assert Workspace.around(mine.path.parent).path == mine.path


def test_with_several_folders_just_below_none_is_chosen(mine: Workspace) -> None:
    Workspace.make(mine.path.parent / "yours")
    with pytest.raises(NoWorkspace, match="mine, yours"):
        Workspace.around(mine.path.parent)


def test_without_exercises_the_error_says_how_to_create_them(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="kit init DIR"):
        Workspace.around(tmp_path)
