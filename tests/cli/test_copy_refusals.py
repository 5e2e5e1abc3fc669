"""What `kit copy` refuses: one line, exit code 2, and nothing written."""

from pathlib import Path

import pytest

from tests.cli.command import Kit


@pytest.mark.parametrize(
    ("package", "reason"),
    [
        ("two words", "cannot be the name"),
        ("9lives", "cannot be the name"),
        ("class", "cannot be the name"),
        ("", "cannot be the name"),
        ("celery", "hide another package"),
        ("json", "hide another package"),
        ("tests", "hide another package"),
    ],
)
def test_a_package_name_that_cannot_be_used_is_refused(kit: Kit, tmp_path: Path, package: str, reason: str) -> None:
    outcome = kit("copy", "celery_queue", str(tmp_path / "service"), "--package", package)

    assert outcome.code == 2
    assert reason in outcome.line
    assert not (tmp_path / "service").exists()


def test_a_folder_with_something_in_it_is_left_as_it_is(kit: Kit, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/notes").write_text("mine")

    for folder in ("full", "full/notes", "full/notes/below"):
        outcome = kit("copy", "polling", str(tmp_path / folder), "--package", "jobs")
        assert outcome.code == 2
        assert str(tmp_path / folder) in outcome.line

    assert [path.name for path in (tmp_path / "full").iterdir()] == ["notes"]


def test_an_unknown_pattern_is_refused(kit: Kit, tmp_path: Path) -> None:
    outcome = kit("copy", "cron", str(tmp_path / "jobs"))

    assert outcome.code == 2
    assert "'cron'" in outcome.line
    assert "celery_queue" in outcome.line
