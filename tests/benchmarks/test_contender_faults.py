"""What the contenders lose tasks on, and what not: their processes and their broker are killed, side by side.

The claims are those of `loses_on` in benchmarks/contenders.
"""

import importlib
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import redis

from patterns.contract.descriptor import Fault, Pattern
from tests.support.serving import Json, Served, Servers
from tests.support.waiting import eventually

_NAMES = ("dramatiq_queue", "saq_queue", "taskiq_queue")
_SETTINGS = {"KIT_AGENT": "tests.support.agents:by_prompt", "KIT_TASK_TIMEOUT_SECONDS": "3", "KIT_GRACE_SECONDS": "1"}
_QUICK = ["sleeps:0.05"] * 20


#: The first test waits for all results.
pytestmark = [pytest.mark.thorough, pytest.mark.timeout(240)]


def pattern(name: str) -> Pattern:
    """The contender with this name."""
    descriptor: Pattern = importlib.import_module(f"benchmarks.contenders.{name}").PATTERN
    return descriptor


@dataclass(frozen=True)
class FaultResult:
    """The outcomes of tasks that were queued or running when a process was killed."""

    worker_killed_at: datetime
    worker_kill: list[Json]
    web_kill: list[Json]
    web_stop: list[Json]
    hangs: list[Json]
    cancelled: Json
    broker_loss: tuple[int, int]  # the status codes for a task that was queued, and for one that ran
    afterwards: Json


def inject_faults(servers: Servers, name: str) -> FaultResult:
    """Kill one process after the other."""
    served = servers.serve(pattern(name), _SETTINGS)
    (worker,), (web,) = served.running.workers, served.running.web

    at_kill = occupy_workers(served)
    killed_at = datetime.now(UTC)
    worker.kill()
    with_worker = [*at_kill, *(served.accept(prompt) for prompt in _QUICK)]
    worker.start()  # also ends what the old worker left running

    with_web = [served.accept(prompt) for prompt in _QUICK]
    web.kill()
    web.start()
    served.until_healthy()

    stopped_with_web = [served.accept(prompt) for prompt in ["sleeps:2", *_QUICK]]
    web.terminate()
    web.stop(5)
    web.start()
    served.until_healthy()

    hangs = [served.accept(prompt) for prompt in ("catches_everything", "swallows_cancellation")]

    def outcomes(task_ids: list[str]) -> list[Json]:
        return [served.outcome(task_id, within=90) for task_id in task_ids]

    web_kill, web_stop = outcomes(with_web), outcomes(stopped_with_web)
    worker_kill = outcomes(with_worker[3:])
    if Fault.WORKER_KILL in pattern(name).loses_on:
        # Rarely, a running job never runs again. A sweep of saq takes a job that is just being dequeued for that of a
        # dead worker; if the worker is killed in the next seconds, the job is lost, as the descriptor declares.
        with suppress(AssertionError):
            outcomes(at_kill)
        worker_kill = [*(served.task(task_id) for task_id in at_kill), *worker_kill]
    else:
        worker_kill = [*outcomes(at_kill), *worker_kill]
    cancelled = served.accept("works_until_ended")
    served.until(cancelled, "running")
    served.cancel(cancelled)
    return FaultResult(
        worker_killed_at=killed_at,
        worker_kill=worker_kill,
        web_kill=web_kill,
        web_stop=web_stop,
        hangs=outcomes(hangs),
        cancelled=served.task(cancelled),
        broker_loss=lose_the_broker(served),
        afterwards=works(served),
    )


def occupy_workers(served: Served) -> list[str]:
    """Start three tasks that run for more than a second."""
    task_ids = [served.accept("sleeps:2.5") for _ in range(3)]
    for task_id in task_ids:
        served.until(task_id, "running")
    return task_ids


def lose_the_broker(served: Served) -> tuple[int, int]:
    """Kill the broker while tasks are queued and running, and restart it without its data."""
    running, waiting = occupy_workers(served), served.accept("sleeps:0")
    broker = served.running.redis
    assert broker is not None
    broker.kill()
    for folder in served.running.family.folder.glob("redis-*/appendonlydir"):
        shutil.rmtree(folder)
    broker.start()
    served.until_healthy()
    return served.status(waiting).status_code, served.status(running[0]).status_code


def works(served: Served) -> Json:
    """The outcome of a new task."""
    answer = eventually(lambda: served.submit("sleeps:0"), lambda answer: answer.status_code == 202)
    return served.outcome(answer.json()["task_id"])


def kill_a_sweeping_saq_worker(servers: Servers) -> Json:
    """Kill a worker, then the next one while it sweeps the job of the first. Returns that task."""
    served = servers.serve(pattern("saq_queue"), _SETTINGS)
    (worker,) = served.running.workers
    task_id = served.accept("sleeps:2.5")
    served.until(task_id, "running")
    worker.kill()
    worker.start()

    with redis.Redis.from_url(str(served.running.redis_url), decode_responses=True) as client:
        eventually(lambda: client.llen("saq:kit:agent:active"), lambda jobs: jobs == 0)  # the sweep has begun
        worker.kill()
        worker.start()
        # The job has been silent long enough that the first sweep to find it would requeue it.
        sweeps = Sweeps(client)
        eventually(sweeps.seen, lambda number: number >= 2, within=60)
        served.outcome(served.accept("sleeps:0"))
        return served.task(task_id)


class Sweeps:
    """Counts sweeps: each acquires a lock, which expires after some seconds."""

    def __init__(self, client: redis.Redis) -> None:
        self._client, self._number = client, 0
        self._left = int(client.pttl("saq:kit:agent:sweep"))

    def seen(self) -> int:
        """The number of times that the lock was acquired since the first check."""
        left = int(self._client.pttl("saq:kit:agent:sweep"))
        self._number += left > self._left > 0 or left > 0 >= self._left
        self._left = left
        return self._number


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, FaultResult | Json]]:
    """The results of all contenders."""
    with Servers(tmp_path_factory.mktemp("contenders"), "") as servers, ThreadPoolExecutor(4) as threads:
        sweeping = threads.submit(kill_a_sweeping_saq_worker, servers)
        by_name = dict(zip(_NAMES, threads.map(lambda name: inject_faults(servers, name), _NAMES), strict=True))
        yield {**by_name, "sweeping": sweeping.result()}


@pytest.fixture(params=_NAMES)
def name(request: pytest.FixtureRequest) -> str:
    """Each contender in turn."""
    return str(request.param)


@pytest.fixture
def result(results: dict[str, FaultResult | Json], name: str) -> FaultResult:
    """The result of this contender."""
    result = results[name]
    assert isinstance(result, FaultResult)
    return result


def test_a_task_completes_although_its_worker_is_killed(result: FaultResult, name: str) -> None:
    assert {task["status"] for task in result.worker_kill[3:]} == {"completed"}
    at_kill = {task["status"] for task in result.worker_kill[:3]}
    assert at_kill == {"completed"} or (
        at_kill <= {"completed", "running"} and Fault.WORKER_KILL in pattern(name).loses_on
    )


def test_the_tasks_of_a_killed_worker_run_again_once_it_counts_as_dead(result: FaultResult) -> None:
    completed = [
        task for task in result.worker_kill[:3] if task["status"] == "completed"
    ]  # others may be lost, as above
    times = [[datetime.fromisoformat(task[field]) for field in ("started_at", "finished_at")] for task in completed]
    at_kill = [(began, ended) for began, ended in times if ended > result.worker_killed_at]
    assert at_kill or not completed
    for began, ended in at_kill:
        assert ended - began > timedelta(seconds=6)  # one run takes 2.5 s


def test_a_task_completes_although_the_web_process_is_killed(result: FaultResult, name: str) -> None:
    assert {task["status"] for task in result.web_kill} == {"completed"}
    assert Fault.WEB_KILL not in pattern(name).loses_on


def test_a_task_completes_although_the_web_process_is_stopped(result: FaultResult, name: str) -> None:
    assert {task["status"] for task in result.web_stop} == {"completed"}
    assert Fault.WEB_STOP not in pattern(name).loses_on


def test_a_task_is_lost_with_the_data_of_the_broker_and_its_id_is_unknown(result: FaultResult, name: str) -> None:
    assert result.broker_loss == (404, 404)
    assert Fault.BROKER_LOSS in pattern(name).loses_on


def test_it_recovers_when_the_broker_is_back_without_its_data(result: FaultResult) -> None:
    assert result.afterwards["status"] == "completed"


def test_a_task_whose_agent_hangs_ends_at_the_timeout(result: FaultResult) -> None:
    assert [task["error"]["code"] for task in result.hangs] == ["timeout", "timeout"]


def test_a_running_task_is_cancelled(result: FaultResult) -> None:
    assert result.cancelled["status"] == "cancelled"


def test_saq_loses_a_task_if_a_worker_is_killed_during_a_sweep(results: dict[str, FaultResult | Json]) -> None:
    swept = results["sweeping"]
    assert isinstance(swept, dict)
    assert swept["status"] == "running"  # although no worker runs it
    assert [name for name in _NAMES if Fault.WORKER_KILL in pattern(name).loses_on] == ["saq_queue"]
