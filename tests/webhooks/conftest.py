"""One server for the callback receivers of all tests here, and the patterns that several of them use."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from patterns import WEBHOOK
from tests.support.callback_receiver import CallbackReceiver
from tests.support.scripted_server import Scripts, scripted_server
from tests.support.serving import QUICK_AGENT, Served, Servers
from tests.webhooks.signing import SECRET

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
    """A server on loopback for the receivers of all tests."""
    with scripted_server() as scripts:
        yield scripts


@pytest.fixture
def receiver(new_receiver: Callable[[], CallbackReceiver]) -> CallbackReceiver:
    """A receiver for this test alone, with a callback URL of its own."""
    return new_receiver()


@pytest.fixture
def new_receiver(scripts: Scripts) -> Callable[[], CallbackReceiver]:
    """Gives a test as many receivers as it needs, each with its own callback URL."""
    return lambda: CallbackReceiver(scripts.script())


@pytest.fixture(scope="package")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Starts patterns as real processes, and stops them after the last test."""
    with Servers(tmp_path_factory.mktemp("webhooks"), _NOWHERE) as servers:
        yield servers


@pytest.fixture(scope="package")
def starting(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Future[Served]]]:
    """The servers below, started side by side when the first of them is needed."""
    agents = tmp_path_factory.mktemp("agents")
    (agents / "repeating_agent.py").write_text(_REPEATING_AGENT)
    chosen = {
        "webhook": (
            WEBHOOK,
            {
                **QUICK_AGENT,
                "KIT_WEBHOOK_FIRST_PAUSE_SECONDS": "0.05",
                "KIT_WEBHOOK_ATTEMPTS": "5",
                "KIT_WEBHOOK_TIMEOUT_SECONDS": "1.5",
            },
        ),
        "patient": (WEBHOOK, {"KIT_AGENT": "repeating_agent:repeat", "PYTHONPATH": str(agents)}),
        "guarded": (
            WEBHOOK,
            {
                "KIT_WEBHOOK_ALLOW_PRIVATE": "0",
                "KIT_WEBHOOK_ATTEMPTS": "1",
                "KIT_WEBHOOK_TIMEOUT_SECONDS": "3",
                "KIT_AGENT_STEP_SECONDS": "0",
            },
        ),
    }
    with ThreadPoolExecutor() as threads:
        yield {
            name: threads.submit(servers.serve, pattern, {**_COMMON, **settings})
            for name, (pattern, settings) in chosen.items()
        }


@pytest.fixture(scope="package")
def webhook(starting: Mapping[str, Future[Served]]) -> Served:
    """The webhook pattern: five attempts with short pauses, and callbacks to loopback are allowed."""
    return starting["webhook"].result()


@pytest.fixture(scope="package")
def patient(starting: Mapping[str, Future[Served]]) -> Served:
    """The webhook pattern with an agent that repeats its prompt, and the default patience with receivers."""
    return starting["patient"].result()


@pytest.fixture(scope="package")
def guarded(starting: Mapping[str, Future[Served]]) -> Served:
    """The webhook pattern as it is by default: callbacks go to public addresses only. One attempt each."""
    return starting["guarded"].result()
