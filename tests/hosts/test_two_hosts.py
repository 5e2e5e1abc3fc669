"""`python -m benchmarks.scale.two_hosts`: what patterns/README.md promises of several hosts, over either broker."""

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import cast
from uuid import uuid4

import httpx
import pytest

from benchmarks.scale.two_hosts.finish_counter import FinishCounter
from benchmarks.scale.two_hosts.host import Host
from benchmarks.scale.two_hosts.scenario import ScenarioFailed, nothing_is_lost
from patterns.serving.rabbitmq_server import RabbitMQ
from tests.cli.command import Outcome, environment
from tests.cli.marked import running
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
ARGV = [sys.executable, "-m", "benchmarks.scale.two_hosts", "--tasks", "20", "--cut", "4"]
MARK = f"TEST_{uuid4().hex}"  # an environment variable that every process of these plays has


def play_it(broker_url: str) -> Outcome:
    """Play it over this broker, or over the Redis that is there anyway."""
    done = subprocess.run(
        ARGV,
        cwd=ROOT,
        env=environment({"KIT_BROKER_URL": broker_url, MARK: "1"}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def plays(request: pytest.FixtureRequest) -> Iterator[Mapping[str, Future[Outcome]]]:
    """Those that this run asks about, played side by side."""
    asked = {
        item.callspec.params["play"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.module is request.module and "play" in item.fixturenames
    }
    brokers = {"redis": ""} if "redis" in asked else {}
    if "rabbitmq" in asked:
        broker: RabbitMQ = request.getfixturevalue("rabbitmq")
        brokers["rabbitmq"] = broker.url
    with ThreadPoolExecutor() as threads:
        yield {name: threads.submit(play_it, url) for name, url in brokers.items()}


@pytest.fixture(params=["redis", pytest.param("rabbitmq", marks=pytest.mark.needs("rabbitmq"))])
def play(plays: Mapping[str, Future[Outcome]], request: pytest.FixtureRequest) -> Outcome:
    """Each in turn."""
    return plays[request.param].result()


@pytest.mark.thorough
def test_nothing_is_lost_when_one_host_is_cut_off_and_healed(play: Outcome) -> None:
    assert (play.code, play.err) == (0, ""), play.out + play.err
    assert play.out.endswith("No task was lost, and each finished exactly once.\n")


@pytest.mark.thorough
def test_it_tells_what_happened_in_order(play: Outcome) -> None:
    told = [
        "two hosts are up",
        "tasks are accepted by host A, and 10 by host B",
        "each host knows the tasks of the other",
        "host B is disconnected",
        "responds to submit with 503",
        "host A accepts a task and keeps working",
        "host B is reconnected",
        "host B is healthy again",
        "21 are completed",
        "each finished exactly once",
    ]
    assert re.search(".*".join(map(re.escape, told)), play.out, re.DOTALL), play.out


def test_the_readme_names_it_and_the_parts_that_it_starts() -> None:
    readme = (ROOT / "patterns/README.md").read_text()
    for command in ("python -m benchmarks.scale.two_hosts", "kit serve celery_queue --role w"):
        assert f"uv run {command}" in readme


@pytest.mark.thorough
def test_nothing_of_them_goes_on(plays: Mapping[str, Future[Outcome]]) -> None:
    assert {play.result().code for play in plays.values()} == {0}
    eventually(lambda: running(MARK), lambda left: left == [])


class MadeUpHost:
    """A host that says of a task what it is told to."""

    def __init__(self, **tasks: str) -> None:
        self.accepted = list(tasks)
        self._tasks = tasks
        self.name = "A"

    def status(self, task_id: str) -> httpx.Response:
        """As the real one."""
        status = self._tasks.get(task_id)
        return httpx.Response(200 if status else 404, json={"task_id": task_id, "status": status})


class MadeUpFinishes:
    """How often each task finished."""

    def __init__(self, **count: int) -> None:
        self.count = Counter(count)


def judge(first: MadeUpHost, second: MadeUpHost, **finishes: int) -> None:
    """Judge what these say."""
    second.accepted = []
    a, b, told = cast("Host", first), cast("Host", second), cast("FinishCounter", MadeUpFinishes(**finishes))
    nothing_is_lost(a, b, told, lambda line: None, within=0.2)


def test_the_verdict_is_good_when_both_say_the_same_and_each_finished_once() -> None:
    judge(MadeUpHost(x="completed"), MadeUpHost(x="completed"), x=1)


@pytest.mark.parametrize(
    ("first", "second", "finishes", "wrong"),
    [
        ({"x": "running"}, {"x": "running"}, {"x": 1}, "not every task finished"),
        ({"x": "failed"}, {"x": "failed"}, {"x": 1}, "1 of 1 tasks are not completed"),
        ({"x": "completed"}, {"x": "failed"}, {"x": 1}, "disagree about a task"),
        ({"x": "completed"}, {"x": "completed"}, {}, "1 tasks finished 0 times"),
        ({"x": "completed"}, {"x": "completed"}, {"x": 2}, "1 tasks finished 2 times"),
    ],
)
def test_the_verdict_is_bad_for_a_task_that_is_lost_or_finished_twice(
    first: dict[str, str], second: dict[str, str], finishes: dict[str, int], wrong: str
) -> None:
    with pytest.raises(ScenarioFailed, match=wrong):
        judge(MadeUpHost(**first), MadeUpHost(**second), **finishes)
