"""Marks tell apart what a check submits."""

from tests.checkpoints.engine.unlike import mark


def test_all_marks_of_a_length_come_before_one_comes_again() -> None:
    marks = [mark(4) for _ in range(16**4)]

    assert len(set(marks)) == len(marks)
    assert {len(one) for one in marks} == {4}
