"""What all tests share: which of them run, in how many processes, and the services that they use."""

from collections.abc import Iterator
from typing import Any

import pytest

from exercises.startup import keep_compiled
from patterns.serving.rabbitmq_server import RabbitMQ, running_rabbitmq
from tests.support import selection, side_by_side
from tests.support.callback_receiver import CallbackReceiver, callback_receiver

keep_compiled()  # before the first server is started


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--thorough`."""
    selection.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers."""
    selection.add_markers(config)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """`-n auto`, which is the default."""
    return side_by_side.processes(config)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Decide which process runs which tests."""
    return side_by_side.scheduler(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of the other run, and those that cannot run here."""
    selection.select(config, items)
    side_by_side.longest_first(items)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Report to pytest's main process what this process left out."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = selection.left_out(session.config)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over the report of a process that ran tests: they all left out the same."""
    selection.remember(node.config, getattr(node, "workeroutput", {}).get("left_out", {}))


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print in one line what was left out, and how to run it."""
    if line := selection.summary(selection.left_out(config)):
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def callbacks() -> Iterator[CallbackReceiver]:
    """Where the webhook pattern delivers its outcomes, unless a test gives another URL."""
    with callback_receiver() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMQ]:
    """A private RabbitMQ, which takes seconds to start. A test that breaks it repairs it."""
    with running_rabbitmq() as broker:
        yield broker
