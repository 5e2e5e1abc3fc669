"""The attributes of a check, from its pytest item: the exercise, the target, the title, the points."""

import pytest

#: The checks of the wire contract, in several files, count as one checkpoint.
CONTRACT = "contract"


def exercise_of(item: pytest.Item) -> str:
    """The folder name of the exercise that a check belongs to, or `CONTRACT`."""
    name = item.path.stem.removeprefix("test_")
    return CONTRACT if name.startswith(CONTRACT) else name


def target_of(item: pytest.Item) -> str:
    """The folder of exercises, or the URL, that is checked."""
    assert isinstance(item, pytest.Function)
    return str(item.callspec.params["target"])


def name_of(item: pytest.Item) -> str:
    """The name of the check's function."""
    return item.originalname if isinstance(item, pytest.Function) else item.name


def title_of(item: pytest.Item) -> str:
    """What the check tests: the first line of its docstring."""
    return (getattr(item, "obj", None).__doc__ or item.name).strip().splitlines()[0].rstrip(".")


def points_of(item: pytest.Item) -> int:
    """The points for the check: 1 unless marked otherwise."""
    marker = item.get_closest_marker("points")
    return int(marker.args[0]) if marker else 1


def gap_of(item: pytest.Item) -> str | None:
    """The only gap of the stub that can make the check fail; None if any gap can."""
    marker = item.get_closest_marker("gap")
    return str(marker.args[0]) if marker else None


def is_checked(item: pytest.Item) -> bool:
    """Whether the item is a check of a target, not another kind of test."""
    return "target" in getattr(item, "fixturenames", ())
