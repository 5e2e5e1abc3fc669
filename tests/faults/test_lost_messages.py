"""celery_queue when messages are gone and the records are still there: each message is sent again."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from patterns import CELERY_QUEUE
from tests.support.scenarios import ScenarioResult
from tests.support.serving import Json, Served, Servers
from tests.support.waiting import eventually

#: Twice what a message is given, which is ten seconds more than the timeout of a task, and some to look.
_SENT_AGAIN_WITHIN_SECONDS = 60.0
_SETTINGS = {"KIT_AGENT": "tests.support.agents:by_prompt", "KIT_TASK_TIMEOUT_SECONDS": "1", "KIT_WORKERS": "1"}
_PATIENT = 36


pytestmark = [pytest.mark.thorough, pytest.mark.timeout(300)]


@dataclass(frozen=True)
class Scenario:
    """What clients saw."""

    running: Json
    waiting: list[Json]
    new: Json
    taken_along: Json
    always_waiting: int
    patient: list[Json]
    runs: int


def run_scenario(servers: Servers) -> Scenario:
    """Lose messages in two ways, and meanwhile let other tasks wait longer than it takes to look for lost messages."""
    with ThreadPoolExecutor(2) as threads:
        patient, taken_along = threads.submit(wait_long, servers), threads.submit(take_along, servers)
        running, *waiting, new = lose_all(servers)
        return Scenario(running, waiting, new, *taken_along.result(), *patient.result())


def wait_long(servers: Servers) -> tuple[list[Json], int]:
    """Tasks that wait for each other. And how often all of them together were run."""
    records = servers.redis()
    served = servers.serve(CELERY_QUEUE, {**_SETTINGS, "REDIS_URL": records.url})
    task_ids = [served.accept("sleeps:0.8") for _ in range(_PATIENT)]
    outcomes = [served.outcome(task_id, 4 * _SENT_AGAIN_WITHIN_SECONDS) for task_id in task_ids]
    client = redis.Redis.from_url(records.url)
    runs = [client.hget(key, "runs") for task_id in task_ids for key in client.scan_iter(f"*task:{task_id}")]
    return outcomes, sum(int(str(each, "ascii")) for each in runs if isinstance(each, bytes))


def lose_all(servers: Servers) -> list[Json]:
    """Kill the worker in the middle of a task, and then the broker with its data.

    One that ran, three that waited, and one that came when all was well again.
    """
    broker = servers.redis()
    # Time enough to see that the task runs, and to kill its worker.
    served = servers.serve(CELERY_QUEUE, {**_SETTINGS, "KIT_BROKER_URL": broker.url, "KIT_TASK_TIMEOUT_SECONDS": "5"})
    (worker,) = served.running.workers
    there = Path(broker.folder, "there")
    running = served.accept(f"waits_for:{there}")
    served.until(running, "running")
    worker.kill()
    there.touch()
    waiting = [served.accept("sleeps:0") for _ in range(3)]
    broker.child.kill()
    for folder in broker.folder.glob("appendonlydir"):
        shutil.rmtree(folder)
    broker.child.start()
    worker.start()
    new = outcome_of_a_new_one(served)
    return [*(served.outcome(task_id, _SENT_AGAIN_WITHIN_SECONDS) for task_id in (running, *waiting)), new]


def take_along(servers: Servers) -> tuple[Json, int]:
    """Take a message as a worker does that dies before it has noted that it has it, while others always wait.

    And how many waited, at least, until it was done.
    """
    broker = servers.redis()
    served = servers.serve(CELERY_QUEUE, {**_SETTINGS, "KIT_BROKER_URL": broker.url})
    (worker,) = served.running.workers
    worker.kill()
    lost = served.accept("sleeps:0")
    messages = redis.Redis.from_url(broker.url)
    (queue,) = messages.scan_iter("*:agent")
    assert messages.llen(queue) == 1
    messages.rpop(queue)
    worker.start()
    waited: list[int] = []

    def keep_it_busy() -> Json:
        for _ in range(8 - messages.llen(queue)):
            served.accept("sleeps:0.2")
        waited.append(messages.llen(queue))
        return served.task(lost)

    return eventually(keep_it_busy, lambda task: task["status"] == "completed", _SENT_AGAIN_WITHIN_SECONDS), min(waited)


def outcome_of_a_new_one(served: Served) -> Json:
    """A task that is submitted as soon as that can be done."""
    answer = eventually(lambda: served.submit("sleeps:0.1"), lambda answer: answer.status_code == 202)
    return served.outcome(answer.json()["task_id"])


@pytest.fixture(scope="module")
def scenario(scenario_result: ScenarioResult) -> Scenario:
    """What happened."""
    scenario: Scenario = scenario_result(__name__)
    return scenario


def test_a_task_whose_worker_died_and_whose_message_is_gone_is_run_again(scenario: Scenario) -> None:
    assert (scenario.running["status"], scenario.running["result"]) == ("completed", "it is there")


def test_tasks_whose_messages_are_gone_are_done(scenario: Scenario) -> None:
    assert [task["status"] for task in scenario.waiting] == ["completed"] * 3


def test_those_whose_messages_are_there_are_done(scenario: Scenario) -> None:
    assert scenario.new["status"] == "completed"


def test_a_message_that_died_with_its_worker_is_sent_again_though_others_always_wait(scenario: Scenario) -> None:
    assert scenario.taken_along["status"] == "completed"
    assert scenario.always_waiting > 0


def test_those_that_only_wait_long_are_done_once(scenario: Scenario) -> None:
    assert [task["status"] for task in scenario.patient] == ["completed"] * _PATIENT
    assert scenario.runs == _PATIENT
