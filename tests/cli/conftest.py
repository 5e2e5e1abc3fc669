"""The servers and commands of these tests. Each starts when it is first needed."""

import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from patterns import IN_MEMORY_QUEUE, WEBHOOK
from patterns.contract.settings import new_webhook_secret
from patterns.serving.processes import Family
from patterns.serving.redis_server import start_redis
from tests.cli.command import KIT, Kit
from tests.cli.marked_processes import running
from tests.cli.serve_process import ServeProcess
from tests.support.serving import ENDLESS_AGENT, QUICK_AGENT, Served, Servers

SECRET = new_webhook_secret()
_QUICK_STOP = {"KIT_GRACE_SECONDS": "0.5"}


@pytest.fixture(scope="package", autouse=True)
def start_early(request: pytest.FixtureRequest) -> None:
    """Start slow servers while other tests run, if a selected test needs them."""
    wanted = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    for name in ("served_celery", "starting"):
        if name in wanted:
            request.getfixturevalue(name)


@pytest.fixture(scope="package")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    """Runs `kit`, each time in a new process."""
    with Kit(tmp_path_factory.mktemp("forked")) as kit:
        yield kit


@pytest.fixture(scope="package")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Starts patterns as real processes, and stops them after the last test."""
    with Servers(tmp_path_factory.mktemp("kit"), "http://127.0.0.1:9/each-test-names-its-own") as servers:
        yield servers


@pytest.fixture(scope="package")
def redis_url() -> Iterator[str]:
    """A Redis that outlives what is served, and that its parts share. Each test has its own keys."""
    with Family() as family:
        yield start_redis(family).url


@pytest.fixture(scope="package")
def starting(servers: Servers) -> Iterator[Mapping[str, Future[Served]]]:
    """The two servers that `kit submit` is tried on, started side by side."""
    polled = {**QUICK_AGENT, **_QUICK_STOP, "KIT_POLL_INTERVAL_SECONDS": "0"}
    webhook = {**QUICK_AGENT, **_QUICK_STOP, "KIT_WEBHOOK_SECRET": SECRET, "KIT_WEBHOOK_FIRST_PAUSE_SECONDS": "0.1"}
    with ThreadPoolExecutor() as threads:
        yield {
            "polled": threads.submit(servers.serve, IN_MEMORY_QUEUE, polled),
            "webhook": threads.submit(servers.serve, WEBHOOK, webhook),
        }


@pytest.fixture(scope="package")
def polled(starting: Mapping[str, Future[Served]]) -> Served:
    """The in-memory queue, with tasks of a tenth of a second."""
    return starting["polled"].result()


@pytest.fixture(scope="package")
def webhook(starting: Mapping[str, Future[Served]]) -> Served:
    """The webhook pattern, which signs with SECRET."""
    return starting["webhook"].result()


@pytest.fixture(scope="package")
def served_celery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[ServeProcess]]:
    """`kit serve celery_queue`, twice, started side by side. A test takes one of them, and ends it in its own way."""
    argv = [*KIT, "serve", "celery_queue", "--port", "0"]
    settings = {**ENDLESS_AGENT, **_QUICK_STOP}
    serves = [ServeProcess(argv, tmp_path_factory.mktemp("celery"), **settings) for _ in range(2)]
    yield serves  # a test that takes one ends it
    for serve in serves:
        serve.end()


@pytest.fixture
def mine(kit: Kit, tmp_path: Path) -> Path:
    """A learner's folder with nothing done yet."""
    made = kit("init", str(tmp_path / "mine"))
    assert made.code == 0, made.err
    return tmp_path / "mine"


@pytest.fixture
def mark() -> Iterator[str]:
    """An environment variable that every process of this test has; processes that have it at the end are killed."""
    name = f"TEST_{uuid.uuid4().hex}"  # not KIT_…: a learner's processes do not inherit those
    yield name
    for process in running(name):
        process.kill()
