"""celery_queue over RabbitMQ: what it survives when its processes are killed, and when the broker goes away.

A task may take a minute here: what is done again sooner was given back by RabbitMQ with the connection.
"""

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import psutil
import pytest
import redis

from patterns import CELERY_QUEUE
from patterns.celery_queue import MAX_RUNS
from patterns.redis_store.keys import Keys
from patterns.serving.rabbitmq_server import RabbitMQ
from tests.support.scenarios import ScenarioResult
from tests.support.serving import Json, Served, Servers
from tests.support.waiting import eventually

pytestmark = [pytest.mark.thorough, pytest.mark.needs("rabbitmq")]

#: Submit has this long to say that the broker is away: the contract itself.
_SUBMIT_SECONDS = 3.0
_TASKS = 30
_PREFIX = "faults:"
_SETTINGS = {
    "KIT_AGENT": "tests.support.agents:by_prompt",
    "KIT_TASK_TIMEOUT_SECONDS": "60",
    "KIT_GRACE_SECONDS": "1",
    "KIT_KEY_PREFIX": _PREFIX,
}


@dataclass(frozen=True)
class Break:
    """Something was broken while tasks ran and waited, and fixed; what came of them, and how often each was run."""

    unfinished: int
    outcomes: list[Json]
    runs: list[int]


@dataclass(frozen=True)
class Away:
    """What a client saw while the broker was frozen."""

    submits: list[httpx.Response]
    seconds: float
    status: int


@dataclass(frozen=True)
class Scenarios:
    """All that happened."""

    broken: dict[str, Break]
    poison: Json
    poison_runs: int
    away: Away
    first_after: httpx.Response
    same_processes: bool


class Scenario:
    """One server over RabbitMQ, and what is broken."""

    def __init__(self, servers: Servers, broker: RabbitMQ) -> None:
        self.broker = broker
        self.served: Served = servers.serve(CELERY_QUEUE, {**_SETTINGS, "KIT_BROKER_URL": broker.url}, web_processes=2)
        self.web, (self.worker,) = self.served.running.web, self.served.running.workers

    def submit(self) -> list[str]:
        """Three tasks that run for some seconds, and many that wait behind them."""
        with self.served.workers_held(), ThreadPoolExecutor(8) as threads:
            in_hand = [self.served.accept("sleeps:2") for _ in range(3)]
            waiting = list(threads.map(self.served.accept, ["sleeps:0.01"] * (_TASKS - 3)))
        for task_id in in_hand:
            self.served.until(task_id, "running")
        return [*in_hand, *waiting]

    def left(self, task_ids: list[str]) -> int:
        """How many of these are waiting or running."""
        return sum(self.served.task(task_id)["status"] in {"pending", "running"} for task_id in task_ids)

    def end(self, unfinished: int, task_ids: list[str]) -> Break:
        """Wait for all of them."""
        outcomes = [self.served.outcome(task_id) for task_id in task_ids]
        with redis.Redis.from_url(str(self.served.running.redis_url), decode_responses=True) as records:
            runs = [records.hget(Keys(_PREFIX).record(task_id), "runs") for task_id in task_ids]
        return Break(unfinished, outcomes, [int(str(number)) for number in runs])

    def worker_killed(self) -> Break:
        """The worker's main process is killed, and started again."""
        task_ids = self.submit()
        self.worker.kill()
        left = self.left(task_ids)
        self.worker.start()
        return self.end(left, task_ids)

    def worker_child_killed(self) -> Break:
        """One of the processes that run tasks is killed; the worker replaces it."""
        task_ids = self.submit()
        psutil.Process(self.worker.pid).children()[0].kill()
        return self.end(self.left(task_ids), task_ids)

    def web_killed(self) -> Break:
        """Both web processes are killed, and started again."""
        task_ids = self.submit()
        left = self.left(task_ids)
        for web in self.web:
            web.kill()
        for web in self.web:
            web.start()
        self.served.until_healthy()
        return self.end(left, task_ids)

    def broker_killed(self) -> tuple[Break, httpx.Response]:
        """The broker is killed, and started again with the data it had."""
        task_ids = self.submit()
        left = self.left(task_ids)
        self.broker.child.kill()
        self.broker.start()
        broken = self.end(left, task_ids)
        # It greets before its queue has a leader, which confirms. Now the workers have had messages from that queue.
        return broken, self.served.submit("sleeps:0")

    def broker_frozen(self) -> tuple[Break, Away]:
        """The broker answers nobody for some seconds."""
        task_ids = self.submit()
        left = self.left(task_ids)
        self.broker.child.kill(signal.SIGSTOP)
        began = time.monotonic()
        with ThreadPoolExecutor(6) as threads:
            answers = [threads.submit(self.served.submit, "sleeps:0") for _ in range(6)]
            status = self.served.status(task_ids[-1]).status_code
            submits = [answer.result() for answer in answers]
        seconds = time.monotonic() - began
        self.broker.child.kill(signal.SIGCONT)
        answer = eventually(lambda: self.served.submit("sleeps:0"), lambda answer: answer.status_code == 202)
        return self.end(left, [*task_ids, answer.json()["task_id"]]), Away(submits, seconds, status)


def run_scenario(servers: Servers) -> Scenarios:
    """Break one thing after the other."""
    broker = servers.rabbitmq
    assert broker
    scenario = Scenario(servers, broker)
    poisoned = Path(servers.folder) / f"{uuid4().hex}.runs"
    poison = scenario.served.outcome(scenario.served.accept(f"kills_its_process:{poisoned}"))
    broken = {
        "worker": scenario.worker_killed(),
        "worker_child": scenario.worker_child_killed(),
        "web": scenario.web_killed(),
    }
    pids = [child.pid for child in scenario.served.running.children]
    broken["broker_frozen"], away = scenario.broker_frozen()
    broken["broker"], first_after = scenario.broker_killed()
    alive = [child.pid for child in scenario.served.running.children if child.exit_code is None]
    runs = len(poisoned.read_text().splitlines())
    return Scenarios(broken, poison, runs, away, first_after, alive == pids)


@pytest.fixture(scope="module")
def scenarios(scenario_result: ScenarioResult, rabbitmq: RabbitMQ) -> Scenarios:
    """What happened."""
    scenarios: Scenarios = scenario_result(__name__)
    return scenarios


@pytest.fixture(params=["worker", "worker_child", "web", "broker_frozen", "broker"])
def broken(scenarios: Scenarios, request: pytest.FixtureRequest) -> Break:
    """Each break in turn."""
    return scenarios.broken[request.param]


def test_it_came_in_the_middle_of_the_work(broken: Break) -> None:
    assert broken.unfinished > 0


def test_every_task_is_completed_all_the_same(broken: Break) -> None:
    assert {task["status"] for task in broken.outcomes} == {"completed"}
    assert len({task["task_id"] for task in broken.outcomes}) == len(broken.outcomes)


@pytest.mark.parametrize("broken", ["worker"], indirect=True)
def test_the_tasks_of_a_dead_worker_run_again_and_no_others(broken: Break) -> None:
    assert broken.runs[:3] == [2, 2, 2]
    assert set(broken.runs[3:]) <= {1, 2}


@pytest.mark.parametrize("broken", ["broker_frozen"], indirect=True)
def test_a_broker_that_is_silent_for_some_seconds_causes_no_second_run(broken: Break) -> None:
    assert set(broken.runs) == {1}


@pytest.mark.parametrize("broken", ["broker"], indirect=True)
def test_a_run_that_loses_the_broker_is_ended_and_not_counted(broken: Break) -> None:
    assert set(broken.runs) == {1}


def test_a_task_that_kills_its_worker_each_time_ends_after_a_few_runs(scenarios: Scenarios) -> None:
    assert scenarios.poison["status"] == "failed"
    assert scenarios.poison["error"]["code"] == "worker_lost"
    assert scenarios.poison_runs == MAX_RUNS


def test_submit_says_within_three_seconds_that_the_broker_is_down(scenarios: Scenarios) -> None:
    assert scenarios.away.seconds < _SUBMIT_SECONDS
    for answer in scenarios.away.submits:
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1


def test_status_is_answered_meanwhile(scenarios: Scenarios) -> None:
    assert scenarios.away.status == 200


def test_the_first_submit_to_a_broker_that_is_back_is_accepted(scenarios: Scenarios) -> None:
    assert scenarios.first_after.status_code == 202, scenarios.first_after.text


def test_after_a_restart_of_the_broker_no_process_had_to_be_restarted(scenarios: Scenarios) -> None:
    assert scenarios.same_processes
