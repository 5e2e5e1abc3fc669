"""The environment of a check: the learner's folder or a server's URL, the control of the agent, and the processes."""

import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from tests.checkpoints.engine.actors.agent_control import AgentControl
from tests.checkpoints.engine.actors.app import App
from tests.checkpoints.engine.actors.external import ITS_OWN_AGENT, NOT_STARTED_HERE
from tests.checkpoints.engine.diagnosis.failures import Inconclusive, NotFromOutside, Wrong
from tests.checkpoints.engine.diagnosis.timeline import Timeline
from tests.checkpoints.engine.http.http_client import NoResponse, send_request
from tests.checkpoints.engine.processes.background import in_background
from tests.checkpoints.engine.processes.fork_server import CELERY, HTTPX, WEB, ForkServer, LearnerProcess
from tests.checkpoints.engine.processes.services import PrivateRedis, Services
from tests.checkpoints.engine.processes.time_limits import START_SECONDS, load_factor

T = TypeVar("T")

#: Variables that a learner has set for the kit or for Celery must not change a verdict.
_UNSET = ("KIT_", "REDIS_", "CELERY_", "PYTHONSTARTUP")

#: How many tasks a Celery worker of a check runs at once.
POOL_PROCESSES = 2

_STUCK_AT_START = (
    "something never ends: at the top level, before the `yield` of the lifespan, or on the event loop.",
    "look for a loop, a pause or a call that waits there. Start endless work with `create_task`; do not await it.",
)


class Call:
    """A call of a learner's function, running in its own process."""

    def __init__(self, process: LearnerProcess, answer: int) -> None:
        self.process = process
        self._answer = in_background(lambda: _read(answer))

    def outcome(self, within: float) -> dict[str, Any] | None:
        """`{"returned": …}` or `{"raised": [class names, nearest first], "message": …}`; None if it takes longer.

        `"at"` is the time of that by `time.monotonic()`, which all processes of a machine share.
        Raises `Wrong` if the process ends without either.
        """
        try:
            written = self._answer.result(within)
        except TimeoutError:
            return None
        if not written:
            raise Wrong("CRASHED", f"the process exited with code {self.process.exit_code}")
        outcome: dict[str, Any] = json.loads(written)
        return outcome


def _read(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


class CheckEnvironment:
    """The environment of one check. Leaving the block ends everything that was started in it."""

    def __init__(
        self,
        folder: Path | None,
        url: str | None,
        forks: ForkServer | None,
        services: Services,
        number: int | None = None,
    ) -> None:
        self._folder = folder
        self._number = number  # of the exercise
        self.url = url
        self._fork_server = forks
        self._services = services
        self._redis: PrivateRedis | None = None
        self._agent_control: AgentControl | None = None
        self._ends = ExitStack()
        self._started: list[LearnerProcess] = []
        self.timeline = Timeline()
        #: The processes whose output may explain a failure.
        self.processes: list[LearnerProcess] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End everything that was started in this environment."""
        self._ends.close()

    def enter(self, context: AbstractContextManager[T]) -> T:
        """Enter a context that ends with this environment."""
        return self._ends.enter_context(context)

    def at_end(self, do: Callable[[], object]) -> None:
        """Call this when the environment ends."""
        self._ends.callback(do)

    @property
    def _forks(self) -> ForkServer:
        if self._fork_server is None:
            raise NotFromOutside(NOT_STARTED_HERE)
        return self._fork_server

    @property
    def folder(self) -> Path:
        """The learner's folder of this exercise."""
        if self._folder is None:
            raise NotFromOutside(NOT_STARTED_HERE)
        return self._folder

    @property
    def agent_control(self) -> AgentControl:
        """Controls the agents of this check."""
        if self.url:
            raise NotFromOutside(ITS_OWN_AGENT)
        if self._agent_control is None:
            self._agent_control = self._ends.enter_context(AgentControl(self._forks.new_path("agent")))
        return self._agent_control

    def process_environment(self, **more: str) -> dict[str, str]:
        """The environment variables of a learner's process."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_UNSET)}
        # It only talks to this machine: no proxy, and no reading of a hundred certificates for every client.
        here = {"NO_PROXY": "*", "no_proxy": "*", "SSL_CERT_FILE": "", "SSL_CERT_DIR": str(self._forks.folder)}
        # What a killed process leaves in its temporary folder is removed with the folder of this run.
        here |= {"TMPDIR": str(self._forks.folder)}
        return {**kept, **here, "PYTHONUNBUFFERED": "1", "KIT_PRACTICE_DESK": str(self.agent_control.path), **more}

    def run(self, job: str, *arguments: object, env: Mapping[str, str], fds: tuple[int, ...] = ()) -> LearnerProcess:
        """Start a process with the learner's code; `job` is the name of a function in `jobs`."""
        process = self._forks.start(self.folder, job, arguments, self.process_environment(**env), fds)
        self.processes.append(process)
        if not self._started:
            self._ends.callback(self._forks.end, self._started)
        self._started.append(process)
        return process

    def serve(self, module: str = "app", *, port: int = 0, **env: str) -> App:
        """Start `module:app`, and return once it responds. With `port`, it replaces a server that has ended."""
        if self.url:
            return App(self.url, self.timeline)
        self.must_have(f"{module}.py")
        self._forks.load(WEB)
        with socket.create_server(("127.0.0.1", port), backlog=256) as listener:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            process = self.run("web", f"{module}:app", fds=(listener.fileno(),), env=env)
        app = App(url, self.timeline, self.agent_control, process)
        # The socket is already listening: the first request waits in it until the app accepts it.
        within = round(START_SECONDS * load_factor(), 1)
        answered = in_background(lambda: send_request(url, "GET", "/", within=within))
        deadline = time.monotonic() + within + 1
        while not answered.done() and not app.ended() and time.monotonic() < deadline:
            time.sleep(0.005)
        error: NoResponse | None = None
        try:
            answered.result(0)
        except NoResponse as broken:
            error = broken
        except TimeoutError:
            error = NoResponse(f"no response within {within:g} s", late=True)
        if error and (ended := app.ended_with(error)):
            raise Wrong("DOES_NOT_START", f"{ended} before it responded to any request")
        if error:
            raise Wrong("DOES_NOT_START", f"the process is running, but GET / → {error}", *_STUCK_AT_START)
        return app

    def load(self, modules: Sequence[str]) -> None:
        """Import these modules in the fork server before a process that needs them is started."""
        self._forks.load(modules)

    @property
    def broker(self) -> PrivateRedis:
        """The Redis that `redis` started."""
        assert self._redis
        return self._redis

    def redis(self) -> str:
        """The URL of a real, empty Redis."""
        # Every process that needs Redis imports Celery. Both take a moment, so they happen concurrently.
        loading = in_background(lambda: self._forks.load(CELERY))
        self._redis = self._ends.enter_context(self._services.empty_redis())
        loading.result()
        return self._redis.url

    def pass_time(self, minutes: int) -> None:
        """Put Redis into the state that it will have in so many minutes."""
        assert self._redis
        self._redis.pass_time(60 * minutes)
        self.timeline.note(f"{minutes} minutes pass: keys with a shorter time to live expire in Redis")

    @contextmanager
    def redis_suspended(self) -> Iterator[None]:
        """Redis does not respond during the block."""
        assert self._redis
        with self._redis.suspended():
            self.timeline.note("Redis stops responding for a moment")
            yield

    def work(self, **env: str) -> LearnerProcess:
        """Start a Celery worker on `worker.py`. It takes a moment until it is ready."""
        self.must_have("worker.py")
        # Celery logs that it is ready at the level "info".
        options = ["--loglevel=info", "--without-gossip", "--without-mingle", "--without-heartbeat"]
        return self.run(
            "celery", ["-A", "worker", "worker", *options, "--pool=prefork", f"--concurrency={POOL_PROCESSES}"], env=env
        )

    def call(self, function: str, keywords: dict[str, Any], **env: str) -> Call:
        """Call a coroutine function `module:function` of the learner in a new process."""
        self.must_have(f"{function.partition(':')[0]}.py")
        self._forks.load(HTTPX)
        answer, far_end = os.pipe()
        process = self.run("call", function, keywords, fds=(far_end,), env=env)
        os.close(far_end)
        return Call(process, answer)

    def must_have(self, name: str) -> None:
        """Raise `Inconclusive` if a file of the exercise is missing."""
        if not (self.folder / name).is_file():
            back = f"kit reset {self._number}" if self._number else "kit update"
            raise Inconclusive(f"There is no {self.folder.name}/{name} in {self.folder.parent}. To restore it: {back}")
