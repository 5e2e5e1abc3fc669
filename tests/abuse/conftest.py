"""Every pattern as real processes, and three servers with narrow limits. They have to survive all of this."""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from patterns import BACKGROUND_TASKS, IN_MEMORY_QUEUE, PATTERNS
from tests.support.callback_receiver import CallbackReceiver
from tests.support.serving import Served, Servers

_HERE = Path(__file__).parent

Starting = Mapping[str, Future[Served]]

_SETTINGS = {"KIT_AGENT": "tests.abuse.agents:agent", "KIT_GRACE_SECONDS": "0.5", "KIT_MAX_BODY_BYTES": "2000000"}
_NARROW = {
    # Idle and slow clients are closed after a second.
    "impatient": {"KIT_CLIENT_SECONDS": "1"},
    # It accepts twenty connections.
    "crowded": {"KIT_MAX_CONNECTIONS": "20"},
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Attacks belong to the thorough run."""
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.thorough)


@pytest.fixture(scope="package")
def starting(tmp_path_factory: pytest.TempPathFactory, callbacks: CallbackReceiver) -> Iterator[Starting]:
    """All servers of these tests, started side by side; `celery_queue` has two web processes."""
    with Servers(tmp_path_factory.mktemp("abuse"), callbacks.url) as servers, ThreadPoolExecutor() as threads:
        all_patterns = {
            name: threads.submit(servers.serve, pattern, _SETTINGS, web_processes=2 if pattern.scales_out else 1)
            for name, pattern in PATTERNS.items()
        }
        narrow = {
            name: threads.submit(servers.serve, IN_MEMORY_QUEUE, {**_SETTINGS, **env}) for name, env in _NARROW.items()
        }
        keeps_requests = threads.submit(servers.serve, BACKGROUND_TASKS, {**_SETTINGS, **_NARROW["crowded"]})
        yield {**all_patterns, **narrow, "keeps_requests": keeps_requests}


@pytest.fixture(scope="module", autouse=True)
def unharmed(starting: Starting) -> Iterator[None]:
    """After the tests of a module every server still works, and none has a traceback in its log."""
    yield
    for started in starting.values():
        served = started.result()
        served.check_alive()
        assert served.outcome(served.accept("are you well?"))["status"] == "completed"
        log = served.running.family.log
        assert log is not None
        assert "Traceback" not in log.read_text(errors="replace"), log.read_text(errors="replace")[-5000:]


@pytest.fixture(params=PATTERNS)
def name(request: pytest.FixtureRequest) -> str:
    """The name of each pattern in turn."""
    return str(request.param)


@pytest.fixture
def served(starting: Starting, name: str) -> Iterator[Served]:
    """Each pattern, as it is by default but for a limit of two million bytes to a body."""
    served = starting[name].result()
    served.check_alive()
    yield served
    served.cancel_all()


@pytest.fixture
def impatient(starting: Starting) -> Served:
    """The in-memory queue; it waits one second for a client."""
    return starting["impatient"].result()


@pytest.fixture
def crowded(starting: Starting) -> Served:
    """The in-memory queue; it accepts twenty connections."""
    return starting["crowded"].result()


@pytest.fixture
def keeps_requests(starting: Starting) -> Iterator[Served]:
    """Background tasks, where a request lasts until its task has ended; it accepts twenty connections."""
    served = starting["keeps_requests"].result()
    yield served
    served.cancel_all()
