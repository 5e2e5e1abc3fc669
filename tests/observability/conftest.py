"""Every pattern as real processes with logs, metrics and traces. Each runs one task at a time, so tests can count."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from patterns import CELERY_QUEUE, PATTERNS
from tests.observability.collector import Collector, collecting
from tests.support.callback_receiver import CallbackReceiver
from tests.support.serving import QUICK_AGENT, Served, Servers

_SETTINGS = {
    "KIT_AGENT": "tests.observability.agents:five_steps",
    "KIT_WORKERS": "1",
    "KIT_QUEUE_SIZE": "3",
    "KIT_MAX_BODY_BYTES": "10000",
    "KIT_GRACE_SECONDS": "0.5",
    "KIT_WEBHOOK_FIRST_PAUSE_SECONDS": "0.05",
    "KIT_WEBHOOK_ATTEMPTS": "2",
    "KIT_LOG": "json",
    "KIT_LOG_LEVEL": "info",
    "OTEL_BSP_SCHEDULE_DELAY": "50",
}


@pytest.fixture(scope="package")
def servers(tmp_path_factory: pytest.TempPathFactory, callbacks: CallbackReceiver) -> Iterator[Servers]:
    """Starts patterns as real processes, and stops them after the last test."""
    with Servers(tmp_path_factory.mktemp("observability"), callbacks.url) as servers:
        yield servers


@pytest.fixture(scope="package")
def collector() -> Iterator[Collector]:
    """Where all of them send their traces."""
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="package")
def fleet(servers: Servers, collector: Collector) -> dict[str, Served]:
    """Every pattern, by name. Those that scale out have two web processes at one address."""
    env = {**_SETTINGS, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    with ThreadPoolExecutor(len(PATTERNS)) as threads:
        started = {
            name: threads.submit(partial(servers.serve, pattern, env, web_processes=2 if pattern.scales_out else 1))
            for name, pattern in PATTERNS.items()
        }
    return {name: one.result() for name, one in started.items()}


@pytest.fixture(scope="package")
def silent(servers: Servers) -> Served:
    """celery_queue, which has most to log, with default settings."""
    return servers.serve(CELERY_QUEUE, QUICK_AGENT)


@pytest.fixture(params=PATTERNS)
def name(request: pytest.FixtureRequest) -> str:
    """The name of each pattern in turn."""
    return str(request.param)


@pytest.fixture(params=[pattern.name for pattern in PATTERNS.values() if pattern.can_call_back])
def caller(fleet: dict[str, Served], request: pytest.FixtureRequest) -> Served:
    """Each pattern that can call back. It makes two attempts."""
    return fleet[request.param]


@pytest.fixture
def served(fleet: dict[str, Served], name: str) -> Iterator[Served]:
    """Each pattern in turn, with nothing to do before and after the test."""
    one = fleet[name]
    one.check_alive()
    yield one
    one.cancel_all()
