"""Each pattern under each fault, as `kit bench --faults` does it, with fewer tasks."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.faults.breaking import applies
from benchmarks.faults.cells import WORKERS, Faults
from benchmarks.faults.record import Cell, read_cells
from benchmarks.faults.run import break_all
from patterns import PATTERNS
from patterns.descriptor import Fault, Pattern
from tests.stories import Told

_TASKS = 40
_CASES = [(pattern, fault) for pattern in PATTERNS.values() for fault in Fault if applies(fault, pattern)]
_LOSSES = [(pattern, fault) for pattern, fault in _CASES if fault in pattern.loses_on]
_OF_THE_WORKER = {Fault.WORKER_KILL, Fault.WORKER_STOP}

every_case = pytest.mark.parametrize(("pattern", "fault"), _CASES, ids=lambda part: getattr(part, "name", str(part)))


@dataclass(frozen=True)
class Measured:
    """What was counted, and what was written down of it."""

    cells: list[Cell]
    read_again: tuple[Cell, ...]

    def of(self, pattern: Pattern, fault: Fault) -> Cell:
        """One cell."""
        (cell,) = [cell for cell in self.cells if (cell.contender, cell.fault) == (pattern.name, fault.value)]
        assert not cell.trouble, cell.trouble
        return cell


def live_through(_: object) -> Measured:
    """Break everything."""
    with tempfile.TemporaryDirectory(prefix="kit-faults-") as folder:
        cells = break_all(list(PATTERNS.values()), Faults(tasks=_TASKS), Path(folder), lambda cell: None)
        return Measured(cells, read_cells(Path(folder)))


@pytest.fixture(scope="module")
def measured(told: Told) -> Measured:
    """What was counted."""
    measured: Measured = told(__name__)
    return measured


@every_case
def test_a_descriptor_says_what_is_measured(measured: Measured, pattern: Pattern, fault: Fault) -> None:
    cell = measured.of(pattern, fault)

    assert cell.accepted == _TASKS
    assert cell.as_claimed, f"claims_loss={cell.claims_loss}, without a result: {cell.without_result}"


@every_case
def test_every_task_comes_to_one_end(measured: Measured, pattern: Pattern, fault: Fault) -> None:
    cell = measured.of(pattern, fault)

    assert cell.completed + cell.failed + cell.lost == cell.accepted


@every_case
def test_afterwards_it_works_again_without_help(measured: Measured, pattern: Pattern, fault: Fault) -> None:
    assert measured.of(pattern, fault).works_again is not None


@every_case
def test_an_agent_runs_twice_only_when_its_worker_died(measured: Measured, pattern: Pattern, fault: Fault) -> None:
    cell = measured.of(pattern, fault)

    assert cell.ran_twice == (WORKERS if fault in _OF_THE_WORKER else 0)


@every_case
def test_what_has_an_outcome_is_told_once(measured: Measured, pattern: Pattern, fault: Fault) -> None:
    cell = measured.of(pattern, fault)

    if pattern.can_call_back:
        assert cell.told == cell.completed + cell.failed
        assert cell.told_twice == 0


@pytest.mark.parametrize(("pattern", "fault"), _LOSSES, ids=lambda part: getattr(part, "name", str(part)))
def test_what_is_lost_is_what_was_not_done_and_no_more(measured: Measured, pattern: Pattern, fault: Fault) -> None:
    assert measured.of(pattern, fault).without_result == _TASKS // 2


def test_what_was_counted_is_written_down(measured: Measured) -> None:
    assert list(measured.read_again) == measured.cells
