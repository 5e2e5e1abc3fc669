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
from tests.cli.marked_processes import running
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
ARGV = [sys.executable, "-m", "benchmarks.scale.two_hosts", "--tasks", "20", "--cut", "4"]
MARK = f"TEST_{uuid4().hex}"  # an environment variable that every process of the scenarios has


def run_scenario(broker_url: str) -> Outcome:
    """Run the scenario over this broker, or over the Redis of the records if the URL is empty."""
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
def scenarios(request: pytest.FixtureRequest) -> Iterator[Mapping[str, Future[Outcome]]]:
    """The scenarios that this run of pytest needs, side by side."""
    asked = {
        item.callspec.params["outcome"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.module is request.module and "outcome" in item.fixturenames
    }
    brokers = {"redis": ""} if "redis" in asked else {}
    if "rabbitmq" in asked:
        broker: RabbitMQ = request.getfixturevalue("rabbitmq")
        brokers["rabbitmq"] = broker.url
    with ThreadPoolExecutor() as threads:
        yield {name: threads.submit(run_scenario, url) for name, url in brokers.items()}


@pytest.fixture(params=["redis", pytest.param("rabbitmq", marks=pytest.mark.needs("rabbitmq"))])
def outcome(scenarios: Mapping[str, Future[Outcome]], request: pytest.FixtureRequest) -> Outcome:
    """The outcome over each broker in turn."""
    return scenarios[request.param].result()


@pytest.mark.thorough
def test_nothing_is_lost_when_one_host_is_cut_off_and_healed(outcome: Outcome) -> None:
    assert (outcome.code, outcome.err) == (0, ""), outcome.out + outcome.err
    assert outcome.out.endswith("No task was lost, and each finished exactly once.\n")


@pytest.mark.thorough
def test_it_reports_what_happened_in_order(outcome: Outcome) -> None:
    reported = [
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
    assert re.search(".*".join(map(re.escape, reported)), outcome.out, re.DOTALL), outcome.out


def test_the_readme_shows_its_command_and_the_roles_it_starts() -> None:
    readme = (ROOT / "patterns/README.md").read_text()
    for command in ("python -m benchmarks.scale.two_hosts", "kit serve celery_queue --role w"):
        assert f"uv run {command}" in readme


@pytest.mark.thorough
def test_no_process_is_left_behind(scenarios: Mapping[str, Future[Outcome]]) -> None:
    assert {scenario.result().code for scenario in scenarios.values()} == {0}
    eventually(lambda: running(MARK), lambda left: left == [])


class FakeHost:
    """A host whose tasks have the given statuses."""

    def __init__(self, **tasks: str) -> None:
        self.accepted = list(tasks)
        self._tasks = tasks
        self.name = "A"

    def status(self, task_id: str) -> httpx.Response:
        """The answer to a status request."""
        status = self._tasks.get(task_id)
        return httpx.Response(200 if status else 404, json={"task_id": task_id, "status": status})


class FakeFinishCounter:
    """How often each task finished."""

    def __init__(self, **count: int) -> None:
        self.count = Counter(count)


def check(first: FakeHost, second: FakeHost, **finishes: int) -> None:
    """Check two hosts whose tasks finished this often."""
    second.accepted = []
    a, b, counter = cast("Host", first), cast("Host", second), cast("FinishCounter", FakeFinishCounter(**finishes))
    nothing_is_lost(a, b, counter, lambda line: None, within=0.2)


def test_it_succeeds_if_both_hosts_agree_and_each_task_finished_once() -> None:
    check(FakeHost(x="completed"), FakeHost(x="completed"), x=1)


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
def test_it_fails_if_a_task_is_lost_or_finished_twice(
    first: dict[str, str], second: dict[str, str], finishes: dict[str, int], wrong: str
) -> None:
    with pytest.raises(ScenarioFailed, match=wrong):
        check(FakeHost(**first), FakeHost(**second), **finishes)
