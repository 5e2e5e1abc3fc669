"""The services that the tests share. Each starts when a test first asks for it."""

from collections.abc import Iterator

import pytest

from patterns.cli.service.tests.serving import Service, serving


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Tasks take a quarter of a second here."""
    quick = {"KIT_AGENT_STEPS": "5", "KIT_AGENT_STEP_SECONDS": "0.05"}
    with serving(tmp_path_factory.mktemp("service"), **quick) as up:
        yield up


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Tasks do not end by themselves here. One runs at a time, and two are accepted."""
    endless = {"KIT_AGENT_STEPS": "5000", "KIT_AGENT_STEP_SECONDS": "0.05"}
    folder = tmp_path_factory.mktemp("small")
    with serving(folder, **endless, KIT_WORKERS="1", KIT_QUEUE_SIZE="2", KIT_GRACE_SECONDS="0.5") as up:
        yield up
