"""Running services that the tests share. Each is started for the first test that needs it."""

from collections.abc import Iterator

import pytest

from patterns.cli.copying.service.tests.serving import Service, serving


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose tasks take a quarter of a second."""
    quick = {"KIT_AGENT_STEPS": "5", "KIT_AGENT_STEP_SECONDS": "0.05"}
    with serving(tmp_path_factory.mktemp("service"), **quick) as up:
        yield up


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that runs one task at a time, accepts two, and whose tasks do not finish."""
    endless = {"KIT_AGENT_STEPS": "5000", "KIT_AGENT_STEP_SECONDS": "0.05"}
    folder = tmp_path_factory.mktemp("small")
    with serving(folder, **endless, KIT_WORKERS="1", KIT_QUEUE_SIZE="2", KIT_GRACE_SECONDS="0.5") as up:
        yield up
