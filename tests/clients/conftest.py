"""One scripted server for all tests here, and the patterns that several of them use."""

from collections.abc import Callable, Iterator

import pytest

from patterns import POLLING, WEBHOOK
from tests.clients.loopback import Script, Scripts, scripted_server
from tests.clients.webhooks import SECRET
from tests.serving import QUICK_AGENT, Served, Servers

_REPEATING_AGENT = """
def repeat(prompt, report_progress):
    words, _, times = prompt.rpartition("*")
    return words.replace("HALF A CHARACTER", "\\ud83d") * int(times)
"""
_NOWHERE = "http://127.0.0.1:9/each-test-names-its-own"


#: A stop at the end of the tests waits for nothing.
_COMMON = {"KIT_GRACE_SECONDS": "0.5", "KIT_WEBHOOK_SECRET": SECRET}


@pytest.fixture(scope="package")
def scripts() -> Iterator[Scripts]:
    """A server on loopback for the scripts of all tests."""
    with scripted_server() as scripts:
        yield scripts


@pytest.fixture
def script(scripts: Scripts) -> Script:
    """A script of this test's own."""
    return scripts.script()


@pytest.fixture
def new_script(scripts: Scripts) -> Callable[[], Script]:
    """Gives a test as many scripts as it needs."""
    return scripts.script


@pytest.fixture(scope="package")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Starts patterns as real processes, and stops them after the last test."""
    with Servers(tmp_path_factory.mktemp("clients"), _NOWHERE) as servers:
        yield servers


@pytest.fixture(scope="package")
def polled(servers: Servers) -> Served:
    """The polling pattern; a task takes a quarter of a second."""
    return servers.serve(
        POLLING, {**_COMMON, **QUICK_AGENT, "KIT_AGENT_STEP_SECONDS": "0.05", "KIT_POLL_INTERVAL_SECONDS": "0"}
    )


@pytest.fixture(scope="package")
def webhook(servers: Servers) -> Served:
    """The webhook pattern: five attempts with short pauses, and callbacks to loopback are allowed."""
    settings = {
        "KIT_WEBHOOK_FIRST_PAUSE_SECONDS": "0.05",
        "KIT_WEBHOOK_ATTEMPTS": "5",
        "KIT_WEBHOOK_TIMEOUT_SECONDS": "2",
    }
    return servers.serve(WEBHOOK, {**_COMMON, **QUICK_AGENT, **settings})


@pytest.fixture(scope="package")
def patient(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Served:
    """The webhook pattern with an agent that repeats its prompt, and the default patience with receivers."""
    folder = tmp_path_factory.mktemp("agent")
    (folder / "repeating_agent.py").write_text(_REPEATING_AGENT)
    return servers.serve(WEBHOOK, {**_COMMON, "KIT_AGENT": "repeating_agent:repeat", "PYTHONPATH": str(folder)})


@pytest.fixture(scope="package")
def guarded(servers: Servers) -> Served:
    """The webhook pattern as it is by default: callbacks go to public addresses only. One attempt each."""
    settings = {
        "KIT_WEBHOOK_ALLOW_PRIVATE": "0",
        "KIT_WEBHOOK_ATTEMPTS": "1",
        "KIT_WEBHOOK_TIMEOUT_SECONDS": "3",
        "KIT_AGENT_STEP_SECONDS": "0",
    }
    return servers.serve(WEBHOOK, {**_COMMON, **settings})
