"""What celery_queue survives: its web processes, its worker, and one of the worker's own processes are killed.

The worker's death is the long scenario: what it had in hand is given to another when the visibility timeout has
passed (three seconds of task timeout, and ten). The others are lived through while it waits.
"""

import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
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
    left_by_worker, with_worker = kill_worker(served)
    child = kill_worker_child(served, servers.folder / f"{uuid4().hex}.runs")
    web = kill_web(served)
    asked_often, asked_the_other = ask_often(served), ask_the_other(served)
    return Scenarios(
        # Last: these tasks run again only when the visibility timeout has passed.
        worker=Scenario(left_by_worker, [served.outcome(task_id, within=60) for task_id in with_worker]),
        worker_child=child,
        web=web,
        ended=[child.name for child in served.running.children if child.exit_code is not None],
        asked_often=asked_often,
        asked_the_other=asked_the_other,
    )


def kill_worker(served: Served) -> tuple[int, list[str]]:
    """Kill the worker's main process while each of its three processes runs a task; how many were unfinished, and all
    tasks."""
    (worker,) = served.running.workers
    with served.workers_held():
        in_hand = [served.accept("sleeps:2") for _ in range(3)]
        task_ids = [*in_hand, *submit(served, _TASKS - 3)]
    for task_id in in_hand:
        served.until(task_id, "running")
    worker.kill()
    left = unfinished(served, task_ids)
    worker.start()
    return left, task_ids


def kill_worker_child(served: Served, runs: Path) -> Scenario:
    """Kill a process of the worker's pool in the middle of a task."""
    with served.workers_held():
        task_ids = [
            *submit(served, 20),
            served.accept(f"kills_its_process_once:{runs}"),
            *submit(served, _TASKS - 21),
        ]
    outcomes = [served.outcome(task_id) for task_id in task_ids]
    return Scenario(len(runs.read_text().splitlines()), outcomes)


def kill_web(served: Served) -> Scenario:
    """Kill both web processes while tasks wait, and restart them."""
    task_ids = submit(served, 20)
    for task_id in task_ids:
        served.outcome(task_id)
    with served.workers_held():
        task_ids += submit(served, _TASKS - 20)
        left = unfinished(served, task_ids)
        for web in served.running.web:
            web.kill()
    for web in served.running.web:
        web.start()
    served.until_healthy()
    return Scenario(left, [served.outcome(task_id) for task_id in task_ids])


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
