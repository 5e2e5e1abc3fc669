"""A thousand tasks through celery_queue, while its web processes and its worker are killed ten times."""

import asyncio
import random
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from benchmarks.callback_receiver import CallbackReceiver
from benchmarks.faults.client import AcceptedTask, Client
from patterns import CELERY_QUEUE
from patterns.contract.settings import new_webhook_secret
from patterns.serving.processes import Child
from patterns.serving.running import Running, running
from patterns.serving.waiting import until_async
from tests.support.scenarios import ScenarioResult

_TASKS, _KILLS = 1000, 10
_WORKERS = 4
_TASK_SECONDS = 0.02
_PATIENCE_SECONDS = 300.0

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(_PATIENCE_SECONDS + 100)]


@dataclass(frozen=True)
class RandomKills:
    """The killed processes, and the outcomes of the tasks."""

    killed: Counter[str]
    statuses: Counter[str]
    deliveries: list[int]


def run_scenario(_: object) -> RandomKills:
    """Submit, kill, and wait for every outcome."""
    secret = new_webhook_secret()
    env = {
        "KIT_AGENT": "tests.support.agents:by_prompt",
        "KIT_WORKERS": str(_WORKERS),
        "KIT_QUEUE_SIZE": str(2 * _TASKS),
        "KIT_TASK_TIMEOUT_SECONDS": "8",  # the tasks of a dead worker are redelivered ten seconds later
        "KIT_WEBHOOK_SECRET": secret,
        "KIT_WEBHOOK_ALLOW_PRIVATE": "1",
        "KIT_WEBHOOK_FIRST_PAUSE_SECONDS": "0.2",
        "KIT_WEBHOOK_TIMEOUT_SECONDS": "2",
        "REDIS_URL": "",
        "KIT_BROKER_URL": "",
    }
    with (
        tempfile.TemporaryDirectory(prefix="kit-kills-") as folder,
        running(CELERY_QUEUE, env=env, web_processes=2, log=Path(folder, "log")) as served,
    ):
        return asyncio.run(_run_scenario(served, secret))


async def _run_scenario(served: Running, secret: str) -> RandomKills:
    async with CallbackReceiver(secret).listening() as receiver:
        client = Client(served.url, receiver.url)
        try:
            kills, manager = asyncio.create_task(_kill(served)), asyncio.create_task(_manage(served))
            tasks = await _accepted(client)
            deadline = time.monotonic() + _PATIENCE_SECONDS
            slots = asyncio.Semaphore(50)  # a thousand concurrent clients would test something else

            async def learn(task: AcceptedTask) -> None:
                async with slots:
                    await client.learn(task, deadline)

            await asyncio.gather(*map(learn, tasks))
            killed = await kills
            manager.cancel()
            # Compared by id: a task whose response was lost with its web process is delivered as well.
            webhook_ids = [f"msg_{task.task_id}" for task in tasks]
            await until_async(lambda: receiver.received.keys() >= set(webhook_ids), _PATIENCE_SECONDS)
            deliveries = [receiver.received[webhook_id] for webhook_id in webhook_ids]
            return RandomKills(killed, Counter(task.status for task in tasks), deliveries)
        finally:
            await client.aclose()


async def _accepted(client: Client) -> list[AcceptedTask]:
    """Submit until enough tasks were accepted. A client that gets no response submits another task."""
    tasks: list[AcceptedTask] = []
    while len(tasks) < _TASKS:
        ids = await asyncio.gather(*(client.submit(f"sleeps:{_TASK_SECONDS}") for _ in range(10)))
        tasks += [AcceptedTask(len(tasks), task_id) for task_id in ids if task_id]
    return tasks


async def _kill(served: Running) -> Counter[str]:
    """Kill processes at random moments."""
    rng, killed = random.Random(1), Counter[str]()
    for number in range(_KILLS):
        await asyncio.sleep(rng.uniform(0.5, 3))
        victim = ("web", "worker", "pool")[number % 3]
        killed[victim] += 1
        if victim == "pool":
            await _kill_one_of_the_pool(served)
        else:
            await _kill_one(rng.choice(served.web if victim == "web" else served.workers))
    return killed


async def _kill_one(child: Child) -> None:
    """Kill a process as soon as it runs: a worker whose pool was killed early ends itself at about the same time."""
    while True:
        await until_async(lambda: child.exit_code is None, _PATIENCE_SECONDS)
        with suppress(ProcessLookupError):
            await asyncio.to_thread(child.kill)
            return


async def _kill_one_of_the_pool(served: Running) -> None:
    """Kill a pool process once all of them run: killing one during the start would end the worker."""
    while True:
        await until_async(lambda: len(_pool(served)) == _WORKERS, _PATIENCE_SECONDS)
        for process in _pool(served)[:1]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
                return


def _pool(served: Running) -> list[psutil.Process]:
    """The processes in which the worker runs tasks; empty while it is dead."""
    try:
        return list(psutil.Process(served.workers[0].pid).children())
    except psutil.NoSuchProcess:
        return []


async def _manage(served: Running) -> None:
    """Restart ended processes, as a process manager does. A worker ends itself if its pool is killed early."""
    while True:
        for child in served.children:
            if child.exit_code is not None:
                child.start()
        await asyncio.sleep(0.2)


@pytest.fixture(scope="module")
def result(scenario_result: ScenarioResult) -> RandomKills:
    """The result of this module's scenario."""
    result: RandomKills = scenario_result(__name__)
    return result


def test_ten_processes_were_killed(result: RandomKills) -> None:
    assert result.killed == Counter(web=4, worker=3, pool=3)


def test_no_task_is_lost(result: RandomKills) -> None:
    assert result.statuses == Counter(completed=len(result.deliveries))
    assert len(result.deliveries) >= _TASKS


def test_each_outcome_is_delivered(result: RandomKills) -> None:
    assert min(result.deliveries) >= 1
