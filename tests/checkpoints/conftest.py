"""The fixtures and hooks of the checkpoints. The engine does the work; the course explains each diagnosis."""

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from exercises.course import number_of
from exercises.diagnoses import diagnosis
from tests.checkpoints.engine.actors.app import App
from tests.checkpoints.engine.actors.environment import CheckEnvironment
from tests.checkpoints.engine.actors.observer import Observer
from tests.checkpoints.engine.diagnosis.explanations import Course
from tests.checkpoints.engine.running import options
from tests.checkpoints.engine.running.concurrent_checks import ConcurrentChecks
from tests.checkpoints.engine.running.hooks import CheckHooks, waiting_reporter
from tests.checkpoints.engine.running.results import Results
from tests.checkpoints.engine.running.setup import NewEnvironment, check_environment, environments, under_way

_HERE = Path(__file__).parent
_SOLUTIONS = _HERE.parents[1] / "solutions"
_COURSE = Course(explain=diagnosis, number=number_of)
_RESULTS = pytest.StashKey[Results]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that choose what is checked."""
    options.add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the hooks through which `kit check` reports."""
    pluginmanager.add_hookspecs(CheckHooks)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers, and create the store of outcomes."""
    options.add_markers(config)
    config.stash[_RESULTS] = Results(_COURSE)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each check against each target."""
    if "target" in metafunc.fixturenames:
        targets, names = options.targets(metafunc.config, _SOLUTIONS)
        metafunc.parametrize("target", targets, scope="module", ids=names)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the checks of the wire contract if there is no server to check."""
    options.leave_out_contract(config, items, _HERE)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Report the checks that were left out."""
    if line := options.left_out(config):
        terminalreporter.write_line(line)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Do not run a concurrent check a second time: wait until it has ended."""
    check = under_way(pyfuncitem)
    if check is None:
        return None
    check.outcome()
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Give each check one outcome."""
    report = yield
    item.config.stash[_RESULTS].report(item, call, report)
    return report


@pytest.fixture(scope="session")
def new_environment(request: pytest.FixtureRequest) -> Iterator[NewEnvironment]:
    """Creates the environment of a check."""
    with environments(request.config, _COURSE) as new:
        yield new


@pytest.fixture(scope="session")
def concurrent(new_environment: NewEnvironment) -> Iterator[ConcurrentChecks]:
    """The checks that run concurrently."""
    checks = ConcurrentChecks(new_environment)
    yield checks
    checks.stop()


@pytest.fixture
def environment(
    request: pytest.FixtureRequest, target: str, new_environment: NewEnvironment, concurrent: ConcurrentChecks
) -> Iterator[CheckEnvironment]:
    """The environment of this check."""
    request.config.stash[_RESULTS].must_be_worth_making(request.node)
    with check_environment(request.node, new_environment, concurrent) as ready:
        yield ready


@pytest.fixture
def app(request: pytest.FixtureRequest, environment: CheckEnvironment) -> App:
    """The learner's app, started and ready. Tasks of an observer get short names in the timeline."""
    if "observer" in request.fixturenames:
        request.getfixturevalue("observer").name_tasks(environment.timeline)
    return environment.serve()


@pytest.fixture(scope="session")
def observer(request: pytest.FixtureRequest) -> Iterator[Observer]:
    """Observes a few tasks of a server with a URL, for all checks of the contract."""
    with Observer(request.config.getoption("--url"), waiting_reporter(request.config)) as watching:
        yield watching
