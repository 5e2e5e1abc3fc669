"""A learner's folder: how the commands find, update and repair it."""

import shutil
from pathlib import Path

import pytest

from exercises.course import course
from tests.cli.command import KIT, Kit, run
from tests.cli.learners_folder import solve

FIRST = course()[0]


def test_missing_folders_are_brought_back_by_an_update(kit: Kit, mine: Path) -> None:
    for one in course()[:2]:
        shutil.rmtree(mine / one.folder)
    assert kit.at(mine, "check", "1", "2").out.splitlines()[-1].endswith("kit update")

    outcome = kit.at(mine, "update").out

    assert f"restored {FIRST.folder}/README.md" in outcome
    assert kit.at(mine, "update").out == "Everything is up to date.\n"
    assert kit.at(mine, "check", "1").code == 1


def test_a_broken_progress_file_can_be_moved_away_as_the_error_says(kit: Kit, mine: Path) -> None:
    solve(mine, FIRST)
    progress = mine / "progress.json"
    progress.write_text("<<<<<<< HEAD")
    for arguments in ([], ["list"], ["check"], ["watch"]):
        ended = kit.at(mine, *arguments)
        assert ended.code == 2
        assert "move it away" in ended.line
    progress.rename(mine / "progress.json.broken")
    assert f"0 of {len(course())} passed" in kit.at(mine, "list").out
    assert kit.at(mine, "check").code == 0
    assert f"1 of {len(course())} passed" in kit.at(mine, "list").out


def test_a_folder_just_below_is_found_and_its_path_shown(kit: Kit, mine: Path) -> None:
    assert f"Read mine/{FIRST.folder}/README.md" in kit.at(mine.parent, "list").out
    assert f"Read {FIRST.folder}/README.md" in kit.at(mine, "list").out
    assert f"Read {FIRST.folder}/README.md" in kit.at(mine / FIRST.folder, "list").out
    assert kit.at(mine.parent, "check").code == 1


def test_one_of_several_folders_below_must_be_named(kit: Kit, mine: Path) -> None:
    kit.at(mine.parent, "init", "yours")
    ended = kit.at(mine.parent, "list")
    assert ended.code == 2
    assert "mine, yours" in ended.line
    for command in ("list", "update", "hint"):
        assert kit.at(mine.parent, command, "--dir", "yours").code == 0


def test_a_reset_says_where_the_old_file_is(kit: Kit, mine: Path) -> None:
    solve(mine, FIRST)
    ended = kit.at(mine, "reset", "1")
    assert "app.before-reset-1.py" in ended.out
    assert kit.at(mine, "check", "1").code == 1


def test_without_a_command_it_shows_the_path(kit: Kit, mine: Path) -> None:
    assert "→  1  Submit and poll" in kit.at(mine).out


@pytest.mark.parametrize("arguments", [[], ["list"], ["check"], ["watch"], ["init", "mine"], ["serve", "webhook"]])
def test_a_deleted_current_folder_is_reported(tmp_path: Path, arguments: list[str]) -> None:
    script = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'
    ended = run(["/bin/sh", "-c", script, "sh", *KIT, *arguments], tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert ended.line == "kit: The current folder no longer exists. Change to another folder: cd"
