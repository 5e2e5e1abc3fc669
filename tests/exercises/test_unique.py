"""Marks tell apart what a check submits."""

from tests.checkpoints.engine.actors.unique import unique_hex


def test_all_marks_of_a_length_come_before_one_comes_again() -> None:
    marks = [unique_hex(4) for _ in range(16**4)]

    assert len(set(marks)) == len(marks)
    assert {len(one) for one in marks} == {4}
