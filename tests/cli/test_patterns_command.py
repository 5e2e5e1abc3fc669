"""`kit patterns`: every pattern, and its answers to the two questions."""

import json

from patterns import PATTERNS
from patterns.contract.descriptor import LearnsBy, RunsIn
from tests.cli.command import Kit


def test_the_table_has_every_pattern_and_both_questions(kit: Kit) -> None:
    outcome = kit("patterns")

    assert (outcome.code, outcome.err) == (0, "")
    heading, *rows = outcome.out.splitlines()
    assert "where the work runs" in heading
    assert "how the client learns the outcome" in heading
    for pattern in PATTERNS.values():
        [row] = [row for row in rows if row.startswith(f"{pattern.name} ")]
        assert pattern.runs_in in row
        assert pattern.learns_by in row
        assert pattern.interrupts in row
        assert all(fault in row for fault in pattern.loses_on)


def test_with_json_it_is_one_array(kit: Kit) -> None:
    outcome = kit("patterns", "--json")

    assert (outcome.code, outcome.err) == (0, "")
    described = {pattern["name"]: pattern for pattern in json.loads(outcome.out)}
    assert list(described) == list(PATTERNS)
    assert {pattern["runs_in"] for pattern in described.values()} == {answer.value for answer in RunsIn}
    assert {pattern["learns_by"] for pattern in described.values()} == {answer.value for answer in LearnsBy}
    for name, pattern in PATTERNS.items():
        assert described[name]["teaches"] == pattern.teaches
        assert described[name]["loses_on"] == sorted(pattern.loses_on)
        assert described[name]["needs"] == sorted(pattern.needs)
        assert described[name]["interrupts"] == pattern.interrupts


def test_without_a_command_it_lists_them(kit: Kit) -> None:
    outcome = kit()

    assert all(command in outcome.out + outcome.err for command in ("patterns", "serve", "submit"))
