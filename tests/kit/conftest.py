"""The servers that several tests of `kit submit` talk to."""

from collections.abc import Iterator

import pytest

from patterns import IN_MEMORY_QUEUE, WEBHOOK
from patterns.settings import new_webhook_secret
from tests.kit.command import Kit
from tests.serving import QUICK_AGENT, Served, Servers

SECRET = new_webhook_secret()


@pytest.fixture(scope="package")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Starts patterns as real processes, and stops them after the last test."""
    with Servers(tmp_path_factory.mktemp("kit"), "http://127.0.0.1:9/each-test-names-its-own") as servers:
        yield servers


@pytest.fixture(scope="package")
def polled(servers: Servers) -> Served:
    """The in-memory queue, with tasks of a tenth of a second."""
    settings = {"KIT_POLL_INTERVAL_SECONDS": "0", "KIT_GRACE_SECONDS": "0.5"}
    return servers.serve(IN_MEMORY_QUEUE, {**QUICK_AGENT, **settings})


@pytest.fixture(scope="package")
def webhook(servers: Servers) -> Served:
    """The webhook pattern, which signs with SECRET."""
    settings = {"KIT_WEBHOOK_SECRET": SECRET, "KIT_WEBHOOK_FIRST_PAUSE_SECONDS": "0.1", "KIT_GRACE_SECONDS": "0.5"}
    return servers.serve(WEBHOOK, {**QUICK_AGENT, **settings})


@pytest.fixture(scope="package")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    """Runs `kit`, each time in a process of its own."""
    with Kit(tmp_path_factory.mktemp("forked")) as kit:
        yield kit
