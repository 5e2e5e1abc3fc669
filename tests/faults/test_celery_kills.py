"""What celery_queue survives: its web processes, its worker, and one of the worker's own processes are killed.

The worker's death is the long scenario: what it had in hand is given to another when the visibility timeout has
passed (three seconds of task timeout, and ten). The others are lived through while it waits.
"""

import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import uuid4

import httpx
import pytest

from patterns import CELERY_QUEUE
from patterns.contract.descriptor import Fault
from tests.support.scenarios import ScenarioResult
from tests.support.serving import Json, Served, Servers
from tests.support.waiting import at_once

_TASKS = 200
_SETTINGS = {"KIT_AGENT": "tests.support.agents:by_prompt", "KIT_TASK_TIMEOUT_SECONDS": "3"}


@dataclass(frozen=True)
class Scenario:
    """What came of 200 tasks, and how many of them were not finished when something was killed."""

    unfinished_at_the_kill: int
    outcomes: list[Json]


@dataclass(frozen=True)
class Scenarios:
    """All that happened."""

    worker: Scenario
    worker_child: Scenario
    web: Scenario
    ended: list[str]
    asked_often: list[Json]
    asked_the_other: httpx.Response


def submit(served: Served, tasks: int = _TASKS) -> list[str]:
    """Hand over tasks that take a twentieth of a second, from a few clients at once."""
    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(served.accept, ["sleeps:0.05"] * tasks))


def unfinished(served: Served, task_ids: list[str]) -> int:
    """How many of these are waiting or running."""
    return sum(served.task(task_id)["status"] in {"pending", "running"} for task_id in task_ids)


def run_scenario(servers: Servers) -> Scenarios:
    """Kill the processes one after the other."""
    served = servers.serve(CELERY_QUEUE, _SETTINGS, web_processes=2)
    (worker,) = served.running.workers  # it has three processes

    # the worker's main process is killed while each of its processes is in the middle of a task
    with served.workers_held():
        in_hand = [served.accept("sleeps:2") for _ in range(3)]
        with_worker = [*in_hand, *submit(served, _TASKS - 3)]
    for task_id in in_hand:
        served.until(task_id, "running")
    worker.kill()
    left_by_worker = unfinished(served, with_worker)
    worker.start()

    # a process of the worker's pool is killed in the middle of a task
    runs = servers.folder / f"{uuid4().hex}.runs"
    with served.workers_held():
        with_child = [
            *submit(served, 20),
            served.accept(f"kills_its_process_once:{runs}"),
            *submit(served, _TASKS - 21),
        ]
    child_outcomes = [served.outcome(task_id) for task_id in with_child]
    left_by_child = len(runs.read_text().splitlines())

    # both web processes are killed while tasks wait, and started again
    with_web = submit(served, 20)
    for task_id in with_web:
        served.outcome(task_id)
    with served.workers_held():
        with_web += submit(served, _TASKS - 20)
        left_by_web = unfinished(served, with_web)
        for web in served.running.web:
            web.kill()
    for web in served.running.web:
        web.start()
    served.until_healthy()
    web_outcomes = [served.outcome(task_id) for task_id in with_web]

    same, others = ask_often(served), ask_the_other(served)
    return Scenarios(
        worker=Scenario(left_by_worker, [served.outcome(task_id, within=60) for task_id in with_worker]),
        worker_child=Scenario(left_by_child, child_outcomes),
        web=Scenario(left_by_web, web_outcomes),
        ended=[child.name for child in served.running.children if child.exit_code is not None],
        asked_often=same,
        asked_the_other=others,
    )


def ask_often(served: Served) -> list[Json]:
    """A task as seen over many connections, each of which either web process may take."""
    task_id = served.accept("sleeps:0")
    served.outcome(task_id)

    def ask(_: int) -> Json:
        with served.connect() as connection:
            answer: Json = connection.get(f"/agent/status/{task_id}").json()
            return answer

    return at_once(40, ask)


def ask_the_other(served: Served) -> httpx.Response:
    """Submit to one web process, and ask the other. A process that is stopped accepts no connection."""
    first, second = served.running.web
    first.kill(signal.SIGSTOP)
    with served.connect() as connection:
        task_id = connection.post("/agent/submit", json=served.body("sleeps:0")).json()["task_id"]
    first.kill(signal.SIGCONT)
    second.kill(signal.SIGSTOP)
    with served.connect() as connection:
        answer = connection.get(f"/agent/status/{task_id}")
    second.kill(signal.SIGCONT)
    return answer


@pytest.fixture(scope="module")
def scenarios(scenario_result: ScenarioResult) -> Scenarios:
    """What happened."""
    scenarios: Scenarios = scenario_result(__name__)
    return scenarios


@pytest.fixture(params=["worker", "worker_child", "web"])
def scenario(scenarios: Scenarios, request: pytest.FixtureRequest) -> Scenario:
    """Each scenario in turn."""
    scenario: Scenario = getattr(scenarios, request.param)
    return scenario


def test_the_descriptor_says_that_tasks_are_lost_only_with_the_data_of_the_broker() -> None:
    assert CELERY_QUEUE.loses_on == {Fault.BROKER_LOSS}


def test_the_kill_came_in_the_middle_of_the_work(scenario: Scenario) -> None:
    assert scenario.unfinished_at_the_kill > 0


def test_every_task_is_completed_all_the_same(scenario: Scenario) -> None:
    assert [task["status"] for task in scenario.outcomes] == ["completed"] * _TASKS


def test_every_task_is_there_once(scenario: Scenario) -> None:
    assert len({task["task_id"] for task in scenario.outcomes}) == _TASKS


def test_progress_of_what_ran_twice_is_100_in_the_end(scenario: Scenario) -> None:
    assert {task["progress"] for task in scenario.outcomes} == {100}


def test_nothing_else_ended(scenarios: Scenarios) -> None:
    assert scenarios.ended == []


def test_two_web_processes_give_the_same_answers(scenarios: Scenarios) -> None:
    assert scenarios.asked_often == [scenarios.asked_often[0]] * 40
    assert scenarios.asked_often[0]["status"] == "completed"


def test_the_tasks_of_one_web_process_are_known_to_the_other(scenarios: Scenarios) -> None:
    assert scenarios.asked_the_other.status_code == 200
