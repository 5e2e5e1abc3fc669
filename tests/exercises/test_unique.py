"""Labels of tasks are unique."""

from tests.checkpoints.engine.actors.unique import unique_hex


def test_all_labels_of_a_length_are_used_before_any_repeats() -> None:
    labels = [unique_hex(4) for _ in range(16**4)]

    assert len(set(labels)) == len(labels)
    assert {len(label) for label in labels} == {4}
