"""How a checkpoint finds the learner's code, runs it, and turns what it saw into a verdict."""

from collections.abc import Callable, Generator, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.checkpoints.engine import report
from tests.checkpoints.engine.app import App
from tests.checkpoints.engine.outcome import Outcome, Verdict
from tests.checkpoints.engine.patience import PATIENCE_SECONDS, crowding
from tests.checkpoints.engine.printed import explain
from tests.checkpoints.engine.processes import ForkServer
from tests.checkpoints.engine.services import Services
from tests.checkpoints.engine.side_by_side import Check, SideBySide
from tests.checkpoints.engine.stage import Stage
from tests.checkpoints.engine.stillness import Stillness
from tests.checkpoints.engine.verdict import Inconclusive, NotFromOutside, NotReached, Wrong
from tests.checkpoints.engine.witness import Witness

Item = pytest.Function
_HERE = Path(__file__).parent
_ROOT = _HERE.parents[1]
_FORKS = pytest.StashKey[ForkServer]()
_STAGE = pytest.StashKey[Stage]()
_STILLNESS = pytest.StashKey[Stillness]()
_CHECK = pytest.StashKey[Check]()
_FOUND = pytest.StashKey[dict[tuple[str, str], "Found"]]()
_LEFT_OUT = pytest.StashKey[int]()

#: A check that failed after waiting saw nothing for so long; one that saw at once what was wrong, for milliseconds.
_WAITED_SECONDS = 0.9 * PATIENCE_SECONDS
#: After this many that waited in vain, the checks that are left are not made: the learner has enough to read.
_ENOUGH_IN_VAIN = 2
#: What the checks of the wire contract, in several files, go by.
CONTRACT = "contract"
#: With these no other check can come to anything.
_HOPELESS = {"DOES_NOT_START": "the app does not start", "WORKER_DOES_NOT_START": "the worker does not start"}
#: When the machine stood still for this part of a deadline, that it passed means nothing.
_STILL = 0.5


@dataclass
class Found:
    """What the checks of one checkpoint have found of one target so far."""

    in_vain: int = 0
    hopeless: str = ""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Whose code is checked."""
    group = parser.getgroup("checkpoints")
    group.addoption(
        "--target",
        action="append",
        metavar="FOLDER",
        help="a folder with exercises in it: exercises, solutions (the default), or a learner's; may be repeated",
    )
    group.addoption("--first-failure", action="store_true", help="make no other check of a target once one has failed")
    group.addoption("--url", help="check a server that runs already, from outside")


def pytest_configure(config: pytest.Config) -> None:
    """Let the imports of the learner's processes begin while pytest collects."""
    config.addinivalue_line("markers", "points(n): what a check is worth; 1 unless it says so")
    config.addinivalue_line("markers", "side_by_side(first=True): its checks are made at the same time; this one first")
    config.addinivalue_line("markers", "apart: no failure of another check keeps this one from being made")
    config.addinivalue_line("markers", "gap(name): no other gap of the stub can be why this check fails")
    config.stash[_FOUND] = {}
    for plugin in config.pluginmanager.get_plugins():
        if isinstance(plugin, ForkServer):  # whoever runs pytest may have started one before
            config.stash[_FORKS] = plugin


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each check against each target."""
    if "target" not in metafunc.fixturenames:
        return
    if url := metafunc.config.getoption("--url"):
        metafunc.parametrize("target", [url], scope="module", ids=["url"])
        return
    given = metafunc.config.getoption("--target") or [str(_ROOT / "solutions")]
    metafunc.parametrize("target", given, scope="module", ids=[Path(one).name for one in given])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the checks of the wire contract where there is no server to check."""
    if config.getoption("--url"):
        return
    contract = [item for item in items if _HERE in item.path.parents and _exercise(item) == CONTRACT]
    if contract:
        config.hook.pytest_deselected(items=contract)
        items[:] = [item for item in items if item not in contract]
        config.stash[_LEFT_OUT] = len(contract)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say why they were left out."""
    if count := config.stash.get(_LEFT_OUT, 0):
        terminalreporter.write_line(
            f"Left out: {count} checks of the wire contract, which need --url http://HOST:PORT."
        )


@pytest.fixture(scope="session")
def forks(request: pytest.FixtureRequest) -> Iterator[ForkServer | None]:
    """Starts the learner's processes. A server with a URL runs already."""
    if request.config.getoption("--url"):
        yield None
        return
    if given := request.config.stash.get(_FORKS, None):
        yield given
        return
    with ForkServer() as started:
        yield started


@pytest.fixture(scope="session")
def services() -> Iterator[Services]:
    """The Redis of this run, started when a check first asks for it."""
    with Services() as started:
        yield started


@pytest.fixture(scope="session")
def set_up(request: pytest.FixtureRequest, forks: ForkServer | None, services: Services) -> Callable[[Item], Stage]:
    """Makes the place of a check."""
    url = request.config.getoption("--url")

    def of(item: Item) -> Stage:
        folder = None if url else (Path(_target(item)) / _exercise(item)).resolve()
        return Stage(folder, url, forks, services)

    return of


@pytest.fixture(scope="session")
def side_by_side(set_up: Callable[[Item], Stage]) -> Iterator[SideBySide]:
    """The checks that are made at the same time."""
    checks = SideBySide(set_up)
    yield checks
    checks.stop()


@pytest.fixture
def stage(
    request: pytest.FixtureRequest, target: str, set_up: Callable[[Item], Stage], side_by_side: SideBySide
) -> Iterator[Stage]:
    """Where this check takes place."""
    item = request.node
    found = _found(item)
    if found.hopeless:
        raise NotReached(found.hopeless)
    if found.in_vain >= _ENOUGH_IN_VAIN and not item.get_closest_marker("apart"):
        raise NotReached("the checks before waited in vain")
    if item.get_closest_marker("side_by_side") and not item.config.getoption("--first-failure"):
        check = item.stash[_CHECK] = side_by_side.of(item)
        item.stash[_STAGE], item.stash[_STILLNESS] = check.stage, check.stillness
        yield check.stage
        check.stage.close()
        return
    with set_up(item) as ready, Stillness() as stillness:
        item.stash[_STAGE], item.stash[_STILLNESS] = ready, stillness
        yield ready


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: Item) -> bool | None:
    """A check that is under way already is not made once more: what comes of it is waited for."""
    check = pyfuncitem.stash.get(_CHECK, None)
    if check is None:
        return None
    check.outcome()
    return True


@pytest.fixture
def app(request: pytest.FixtureRequest, stage: Stage) -> App:
    """The learner's app, up and answering. Where there is a witness, the tasks that it watches have short names."""
    if "witness" in request.fixturenames:
        for task in request.getfixturevalue("witness").tasks:
            if task.task_id:
                stage.timeline.call(task.task_id, f"{{{task.name}}}")
    return stage.serve()


@pytest.fixture(scope="session")
def witness(request: pytest.FixtureRequest) -> Iterator[Witness]:
    """Watches a few tasks of somebody's server, for all checks of the contract."""
    url = request.config.getoption("--url")
    capture = request.config.pluginmanager.get_plugin("capturemanager")

    def tell(text: str) -> None:
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            request.config.hook.pytest_check_waits(text=text)

    with Witness(url, tell) as watching:
        yield watching


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Give each check one outcome, and a text that a learner can use."""
    told = yield
    if "target" not in getattr(item, "fixturenames", ()) or call.when == "teardown":
        return told
    error = call.excinfo.value if call.excinfo else None
    if call.when == "setup" and error is None:
        return told
    check = item.stash.get(_CHECK, None)
    last_wait = check.last_wait if check else _last_wait(item)
    outcome = _outcome(item, error, call.duration)  # side by side: what it has added
    found = _found(item)
    if outcome.verdict is Verdict.FAILED and last_wait > _WAITED_SECONDS:
        found.in_vain += 1
    if outcome.code == "CRASHED" and item.config.getoption("--url"):
        found.hopeless = "the server is gone"
    if outcome.verdict is Verdict.FAILED and item.config.getoption("--first-failure"):
        found.hopeless = "one has failed"
    if outcome.code in _HOPELESS:
        found.hopeless = _HOPELESS[outcome.code]
    if error is not None:
        told.when = "call"  # a check that is not reached has failed: it is no error of the test run
        told.outcome = "skipped" if outcome.verdict is Verdict.NOT_FROM_OUTSIDE else "failed"
        told.longrepr = outcome.text if told.failed else (str(item.path), 0, outcome.text)
    item.user_properties += [  # the item's, not this report's: JUnit XML takes those of the last report, the teardown's
        ("verdict", outcome.verdict.value),
        ("code", outcome.code or ""),
        ("points", f"{outcome.points}/{outcome.of}"),
    ]
    item.config.hook.pytest_check_is_made(outcome=outcome)
    return told


class Hooks:
    """What a plugin can listen to."""

    @pytest.hookspec
    def pytest_check_is_made(self, outcome: Outcome) -> None:
        """A check has come to an outcome."""

    @pytest.hookspec
    def pytest_check_waits(self, text: str) -> None:
        """A check has to wait for long, and the text says for what."""


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Let `kit check` listen."""
    pluginmanager.add_hookspecs(Hooks)


def _outcome(item: pytest.Item, error: BaseException | None, seconds: float) -> Outcome:
    stage = item.stash.get(_STAGE, None)
    stillness = item.stash.get(_STILLNESS, None)
    if isinstance(error, Wrong) and stillness and stillness.longest > _STILL * PATIENCE_SECONDS * crowding():
        error = Inconclusive(f"The machine stood still for {stillness.longest:.1f} s meanwhile. Run the check again.")
    title = (getattr(item, "obj", None).__doc__ or item.name).strip().splitlines()[0].rstrip(".")
    marker = item.get_closest_marker("points")
    of = marker.args[0] if marker else 1
    raised = None
    if isinstance(error, Wrong) and stage:
        gap = item.get_closest_marker("gap")
        raised = explain(error, stage.timeline, stage.processes, gap.args[0] if gap else None)
    verdict, code, text = Verdict.PASSED, None, ""
    if isinstance(error, Wrong) and stage:
        verdict, code = Verdict.FAILED, error.code
        exercise = _exercise(item)
        number = int(exercise[2:4]) if exercise.startswith("ex") else None
        points = f"0 of {of} point" + ("s" if of > 1 else "")
        still_open = (
            report.gaps(stage.folder)
            if number and not stage.url and code not in {"NOT_IMPLEMENTED", *_HOPELESS}
            else ""
        )
        text = "\n".join(report.failed(title, error, stage.timeline, raised, number, points, still_open))
    elif isinstance(error, NotReached):
        verdict, text = Verdict.NOT_REACHED, f"- {title}: not reached, {error.why}"
    elif isinstance(error, NotFromOutside):
        verdict, text = Verdict.NOT_FROM_OUTSIDE, f"- {title}: not from outside, {error.why}"
    elif isinstance(error, Inconclusive):
        verdict, text = Verdict.INCONCLUSIVE, f"? {title}: inconclusive. {error.why}"
    elif error is not None:
        verdict = Verdict.INCONCLUSIVE
        text = f"? {title}: inconclusive. The kit itself broke: {type(error).__name__}: {error}"
    name = item.originalname if isinstance(item, pytest.Function) else item.name
    points_got = of if verdict is Verdict.PASSED else 0
    return Outcome(_exercise(item), _target(item), name, title, verdict, code, seconds, points_got, of, text)


def _last_wait(item: pytest.Item) -> float:
    stage = item.stash.get(_STAGE, None)
    return stage.timeline.last_wait() if stage else 0.0


def _exercise(item: pytest.Item) -> str:
    name = item.path.stem.removeprefix("test_")
    return CONTRACT if name.startswith(CONTRACT) else name


def _found(item: pytest.Item) -> Found:
    return item.config.stash[_FOUND].setdefault((_exercise(item), _target(item)), Found())


def _target(item: pytest.Item) -> str:
    assert isinstance(item, pytest.Function)
    return str(item.callspec.params["target"])
