"""One scripted server for all tests here, and the polling pattern."""

from collections.abc import Callable, Iterator

import pytest

from patterns import POLLING
from tests.support.scripted_server import Script, Scripts, scripted_server
from tests.support.serving import QUICK_AGENT, Served, Servers


@pytest.fixture(scope="package")
def scripts() -> Iterator[Scripts]:
    """A server on loopback for the scripts of all tests."""
    with scripted_server() as scripts:
        yield scripts


@pytest.fixture
def script(scripts: Scripts) -> Script:
    """A script for this test alone."""
    return scripts.script()


@pytest.fixture
def new_script(scripts: Scripts) -> Callable[[], Script]:
    """Gives a test as many scripts as it needs."""
    return scripts.script


@pytest.fixture(scope="package")
def polled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The polling pattern; a task takes a tenth of a second."""
    with Servers(tmp_path_factory.mktemp("polling"), callback_url="") as servers:
        yield servers.serve(POLLING, {**QUICK_AGENT, "KIT_POLL_INTERVAL_SECONDS": "0", "KIT_GRACE_SECONDS": "0.5"})
