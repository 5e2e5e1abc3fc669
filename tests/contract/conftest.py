"""Every pattern as real processes, in three settings. Each setting is started when a test first asks for it.

celery_queue is there twice: over Redis, and over RabbitMQ.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest

from patterns import CELERY_QUEUE, PATTERNS
from patterns.serving.rabbitmq_server import RabbitMQ
from tests.support.callback_receiver import CallbackReceiver
from tests.support.scenarios import ScenarioResult, put_scenarios_last, running_scenarios
from tests.support.serving import ENDLESS_AGENT, QUICK_AGENT, Served, Servers

_HERE = Path(__file__).parent

Fleet = Mapping[str, Served]
Fleets = Callable[[str], Fleet]
T = TypeVar("T")

OVER_RABBITMQ = "celery_queue_over_rabbitmq"
over_rabbitmq = [pytest.mark.thorough, pytest.mark.needs("rabbitmq")]

_SETTINGS = {
    # Tasks take a tenth of a second. A poll interval that is not whole shows how Retry-After is rounded.
    "quick": {**QUICK_AGENT, "KIT_POLL_INTERVAL_SECONDS": "1.2", "KIT_MAX_BODY_BYTES": "10000"},
    # Tasks never end by themselves, one runs at a time, and three are accepted.
    "small": {
        **ENDLESS_AGENT,
        "KIT_AGENT": "tests.contract.agents:agent",
        "KIT_WORKERS": "1",
        "KIT_QUEUE_SIZE": "3",
        "KIT_MAX_WAIT_SECONDS": "1",
        "KIT_POLL_INTERVAL_SECONDS": "0",
    },
    # Tasks may take a second, and are forgotten three seconds after they finish.
    "short": {
        **QUICK_AGENT,
        "KIT_TASK_TIMEOUT_SECONDS": "1",
        "KIT_TASK_TTL_SECONDS": "3",
        "KIT_WORKERS": "2",
        "KIT_QUEUE_SIZE": "6",
    },
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of scenarios come last: the scenarios run beside the others."""
    put_scenarios_last(items, _HERE)


@pytest.fixture(scope="package")
def fleet(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, callbacks: CallbackReceiver
) -> Iterator[Fleets]:
    """Starts the patterns that this run tests with one of the settings, and returns them by name. Thread-safe."""
    asked = _asked(request.session)
    rabbitmq: RabbitMQ | None = request.getfixturevalue("rabbitmq") if OVER_RABBITMQ in asked else None
    started: dict[str, Fleet] = {}
    one_at_a_time = threading.Lock()
    with Servers(tmp_path_factory.mktemp("contract"), callbacks.url) as servers:

        def by_setting(name: str) -> Fleet:
            with one_at_a_time:
                if name not in started:
                    settings = _SETTINGS[name]
                    chosen = {name: (pattern, settings) for name, pattern in PATTERNS.items() if name in asked}
                    if rabbitmq:
                        # The three settings share a broker, so each gets its own queues.
                        own_queues = {"KIT_BROKER_URL": rabbitmq.url, "KIT_KEY_PREFIX": f"{name}:"}
                        chosen[OVER_RABBITMQ] = (CELERY_QUEUE, {**settings, **own_queues})
                    started[name] = servers.side_by_side(chosen)
            return started[name]

        yield by_setting


@pytest.fixture(scope="package", autouse=True)
def scenario_result(request: pytest.FixtureRequest, fleet: Fleets) -> Iterator[ScenarioResult]:
    """The scenarios of this folder. They start with the first test here, and run beside it."""
    with running_scenarios(request.session, _HERE, fleet, at_once=1) as result_of:
        yield result_of


def everywhere(fleet: Fleet, do: Callable[[Served], T]) -> dict[str, T]:
    """Do something slow with all patterns side by side, and return the results by pattern name."""
    with ThreadPoolExecutor(len(fleet)) as threads:
        return dict(zip(fleet, threads.map(do, [alive(served) for served in fleet.values()]), strict=True))


def _asked(session: pytest.Session) -> set[str]:
    """The names that the tests of this run are parametrized by; without any, those of the default run."""
    named = {
        str(item.callspec.params["name"])
        for item in session.items
        if isinstance(item, pytest.Function) and _HERE in item.path.parents and hasattr(item, "callspec")
        and "name" in item.callspec.params
    }  # fmt: skip
    return named or set(PATTERNS)


@pytest.fixture(params=[*PATTERNS, pytest.param(OVER_RABBITMQ, marks=over_rabbitmq)])
def name(request: pytest.FixtureRequest) -> str:
    """The name of each pattern in turn."""
    return str(request.param)


@pytest.fixture
def quick(fleet: Fleets, name: str) -> Served:
    """Tasks take a tenth of a second here."""
    return alive(fleet("quick")[name])


@pytest.fixture
def small(fleet: Fleets, name: str) -> Iterator[Served]:
    """One task runs here at a time, without an end; two more may wait. It is empty before and after the test."""
    served = alive(fleet("small")[name])
    yield served
    served.cancel_all()


@pytest.fixture
def short(fleet: Fleets, name: str) -> Served:
    """Tasks may take one second here, and are forgotten after three."""
    return alive(fleet("short")[name])


def alive(served: Served) -> Served:
    """The server, if all its processes run: otherwise a test would fail late, and for an unclear reason."""
    served.check_alive()
    return served
