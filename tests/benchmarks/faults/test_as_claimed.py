"""Every fault in every pattern, as with `kit bench --faults`, but with fewer tasks."""

from dataclasses import dataclass

import pytest
from _pytest.mark import ParameterSet

from benchmarks.faults.fault_trials import WORKERS, FaultPlan, Subject
from benchmarks.faults.injection import applies
from benchmarks.faults.suite import OVER_RABBITMQ, inject_all
from benchmarks.records.faults import FaultTrial, read_fault_trials
from patterns import CELERY_QUEUE, PATTERNS
from patterns.contract.descriptor import Fault

_TASKS = 40
pytestmark = pytest.mark.timeout(400)  # the first test waits for all fault trials
_WHO = [
    *(Subject(pattern.name, pattern) for pattern in PATTERNS.values()),
    Subject(OVER_RABBITMQ, CELERY_QUEUE, over_rabbitmq=True),
]
_CASES = [(who, fault) for who in _WHO for fault in Fault if applies(fault, who.pattern)]
#: The fault that the default test run injects into each pattern.
_USUAL = Fault.WEB_KILL
_RUN_AGAIN = {Fault.WORKER_KILL, Fault.WORKER_STOP}
#: A worker that loses its connection to RabbitMQ also loses its unacknowledged messages, and stops their tasks.
_RUN_AGAIN_OVER_RABBITMQ = {Fault.BROKER_KILL, Fault.BROKER_LOSS}


def _parameters(who: Subject, fault: Fault) -> ParameterSet:
    marks = [pytest.mark.thorough] if who.over_rabbitmq or fault is not _USUAL else []
    marks += [pytest.mark.needs("rabbitmq")] if who.over_rabbitmq else []
    return pytest.param(who, fault, marks=marks, id=f"{who.name}-{fault}")


every_case = pytest.mark.parametrize(("who", "fault"), [_parameters(*case) for case in _CASES])
every_loss = pytest.mark.parametrize(
    ("who", "fault"), [_parameters(who, fault) for who, fault in _CASES if fault in who.loses_on]
)


@dataclass(frozen=True)
class Measured:
    """The fault trials, and the same as read back from the file."""

    cells: list[FaultTrial]
    read_again: tuple[FaultTrial, ...]

    def of(self, who: Subject, fault: Fault) -> FaultTrial:
        """One fault trial."""
        (cell,) = [cell for cell in self.cells if (cell.contender, cell.fault) == (who.name, fault.value)]
        assert not cell.trouble, cell.trouble
        return cell


@pytest.fixture(scope="module")
def measured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """The fault trials that the selected tests need."""
    asked = [
        item.callspec.params
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.module is request.module and "fault" in item.fixturenames
    ]
    who = [subject for subject in _WHO if any(params["who"] is subject for params in asked)]
    faults = tuple(fault for fault in Fault if any(params["fault"] is fault for params in asked))
    folder = tmp_path_factory.mktemp("faults")
    return Measured(inject_all(who, FaultPlan(faults, _TASKS), folder, lambda cell: None), read_fault_trials(folder))


@every_case
def test_the_descriptor_matches_the_measurement(measured: Measured, who: Subject, fault: Fault) -> None:
    cell = measured.of(who, fault)

    assert cell.accepted == _TASKS
    assert cell.as_claimed, f"claims_loss={cell.claims_loss}, without a result: {cell.without_result}"


@every_case
def test_every_task_has_exactly_one_outcome(measured: Measured, who: Subject, fault: Fault) -> None:
    cell = measured.of(who, fault)

    assert cell.completed + cell.failed + cell.lost == cell.accepted


@every_case
def test_it_recovers_without_help(measured: Measured, who: Subject, fault: Fault) -> None:
    assert measured.of(who, fault).works_again is not None


@every_case
def test_a_task_runs_twice_only_if_its_worker_died(measured: Measured, who: Subject, fault: Fault) -> None:
    cell = measured.of(who, fault)

    again = _RUN_AGAIN | (_RUN_AGAIN_OVER_RABBITMQ if who.over_rabbitmq else set())
    assert cell.ran_twice == (WORKERS if fault in again else 0)


@every_case
def test_every_outcome_is_delivered_exactly_once(measured: Measured, who: Subject, fault: Fault) -> None:
    cell = measured.of(who, fault)

    if who.pattern.can_call_back:
        assert cell.delivered == cell.completed + cell.failed
        assert cell.delivered_twice == 0


@every_loss
def test_only_unfinished_tasks_are_lost(measured: Measured, who: Subject, fault: Fault) -> None:
    assert measured.of(who, fault).without_result == _TASKS // 2


def test_the_trials_are_written_to_the_file(measured: Measured) -> None:
    assert list(measured.read_again) == measured.cells
