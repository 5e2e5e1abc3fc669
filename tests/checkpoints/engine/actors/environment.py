"""The environment of a check: the learner's folder or a server's URL, the agent's control, and the processes."""

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
from tests.checkpoints.engine.actors.external import ITS_OWN_AGENT
from tests.checkpoints.engine.diagnosis.failures import Inconclusive, NotFromOutside, Wrong
from tests.checkpoints.engine.diagnosis.timeline import Timeline
from tests.checkpoints.engine.http.http_client import NoAnswer, send_request
from tests.checkpoints.engine.processes.background import in_background
from tests.checkpoints.engine.processes.fork_server import CELERY, HTTPX, WEB, ForkServer, LearnerProcess
from tests.checkpoints.engine.processes.services import PrivateRedis, Services
from tests.checkpoints.engine.processes.time_limits import START_SECONDS, load_factor

T = TypeVar("T")

#: What a learner has set for the kit or for Celery must not change a verdict.
_UNSET = ("KIT_", "REDIS_", "CELERY_", "PYTHONSTARTUP")

#: So many tasks a Celery worker of a check runs at once.
POOL_PROCESSES = 2

_STUCK_AT_START = (
    "something does not come to its end: at the top level, before the `yield` of the lifespan, or on the event loop.",
    "look for a loop, a pause or a call that waits there. What never ends is started (`create_task`), not awaited.",
)


class Call:
    """A call of a learner's function, under way in a process of its own."""

    def __init__(self, process: LearnerProcess, answer: int) -> None:
        self.process = process
        self._answer = in_background(lambda: _read(answer))

    def outcome(self, within: float) -> dict[str, Any] | None:
        """`{"returned": …}` or `{"raised": [class names, nearest first], "message": …}`; None when it takes longer.

        `"at"` is when that was, by `time.monotonic()`, which all processes of a machine share.
        Raises `Wrong` when the process ends without either.
        """
        try:
            said = self._answer.result(within)
        except TimeoutError:
            return None
        if not said:
            raise Wrong("CRASHED", f"the process ended with exit code {self.process.exit_code}")
        outcome: dict[str, Any] = json.loads(said)
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
        self._started_by = forks
        self._services = services
        self._redis: PrivateRedis | None = None
        self._agent_control: AgentControl | None = None
        self._ends = ExitStack()
        self._started: list[LearnerProcess] = []
        self.timeline = Timeline()
        #: Those whose output may tell why a check fails.
        self.processes: list[LearnerProcess] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End everything that was started in it."""
        self._ends.close()

    def enter(self, context: AbstractContextManager[T]) -> T:
        """Enter a context that ends with this environment."""
        return self._ends.enter_context(context)

    def at_end(self, do: Callable[[], object]) -> None:
        """Call this when the environment ends."""
        self._ends.callback(do)

    @property
    def _forks(self) -> ForkServer:
        if self._started_by is None:
            raise NotFromOutside("it needs the process, and the server is somebody else's")
        return self._started_by

    @property
    def folder(self) -> Path:
        """The learner's folder of this exercise."""
        if self._folder is None:
            raise NotFromOutside("it needs the process, and the server is somebody else's")
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
        """What a learner's process finds in its environment."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_UNSET)}
        # It talks to this machine alone: through no proxy, and without reading a hundred certificates for every client.
        here = {"NO_PROXY": "*", "no_proxy": "*", "SSL_CERT_FILE": "", "SSL_CERT_DIR": str(self._forks.folder)}
        # What a killed process leaves in its temporary folder goes with this run's own.
        here |= {"TMPDIR": str(self._forks.folder)}
        return {**kept, **here, "PYTHONUNBUFFERED": "1", "KIT_PRACTICE_DESK": str(self.agent_control.path), **more}

    def run(self, job: str, *arguments: object, env: Mapping[str, str], fds: tuple[int, ...] = ()) -> LearnerProcess:
        """Start a process of the learner's code; `job` is a function of `jobs`."""
        process = self._forks.start(self.folder, job, arguments, self.process_environment(**env), fds)
        self.processes.append(process)
        if not self._started:
            self._ends.callback(self._forks.end, self._started)
        self._started.append(process)
        return process

    def serve(self, module: str = "app", *, port: int = 0, **env: str) -> App:
        """Start `module:app`, and return once it answers. A port makes it the successor of one that is gone."""
        if self.url:
            return App(self.url, self.timeline)
        self.must_have(f"{module}.py")
        self._forks.load(WEB)
        with socket.create_server(("127.0.0.1", port), backlog=256) as listener:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            process = self.run("web", f"{module}:app", fds=(listener.fileno(),), env=env)
        app = App(url, self.timeline, self.agent_control, process)
        # The socket listens already: the first request waits in it until the app takes it.
        within = round(START_SECONDS * load_factor(), 1)
        answered = in_background(lambda: send_request(url, "GET", "/", within=within))
        deadline = time.monotonic() + within + 1
        while not answered.done() and not app.ended() and time.monotonic() < deadline:
            time.sleep(0.005)
        error: NoAnswer | None = None
        try:
            answered.result(0)
        except NoAnswer as broken:
            error = broken
        except TimeoutError:
            error = NoAnswer(f"no answer within {within:g} s", late=True)
        if error and (ended := app.ended_with(error)):
            raise Wrong("DOES_NOT_START", f"{ended}, before it had answered any request")
        if error:
            raise Wrong("DOES_NOT_START", f"the process runs, and GET / came to nothing: {error}", *_STUCK_AT_START)
        return app

    def load(self, modules: Sequence[str]) -> None:
        """Let what a process will import be there already when it is started."""
        self._forks.load(modules)

    @property
    def broker(self) -> PrivateRedis:
        """The Redis, once it was asked for."""
        assert self._redis
        return self._redis

    def redis(self) -> str:
        """The URL of a real Redis, with nothing in it."""
        # What needs a Redis imports Celery in every process. Both take a moment, so they are done concurrently.
        loading = in_background(lambda: self._forks.load(CELERY))
        self._redis = self._ends.enter_context(self._services.empty_redis())
        loading.result()
        return self._redis.url

    def pass_time(self, minutes: int) -> None:
        """Let the Redis be as it will be so many minutes from now."""
        assert self._redis
        self._redis.pass_time(60 * minutes)
        self.timeline.note(f"{minutes} minutes pass: what Redis was to keep for less is gone")

    @contextmanager
    def redis_suspended(self) -> Iterator[None]:
        """As long as the block lasts, the Redis answers nothing."""
        assert self._redis
        with self._redis.suspended():
            self.timeline.note("Redis takes its time: it answers nothing just now")
            yield

    def work(self, **env: str) -> LearnerProcess:
        """Start a Celery worker on `worker.py`. It may take a moment until it is ready."""
        self.must_have("worker.py")
        # "info" is what Celery says it is ready with.
        options = ["--loglevel=info", "--without-gossip", "--without-mingle", "--without-heartbeat"]
        return self.run(
            "celery", ["-A", "worker", "worker", *options, "--pool=prefork", f"--concurrency={POOL_PROCESSES}"], env=env
        )

    def call(self, function: str, keywords: dict[str, Any], **env: str) -> Call:
        """Call a coroutine function `module:function` of the learner's, in a process of its own."""
        self.must_have(f"{function.partition(':')[0]}.py")
        self._forks.load(HTTPX)
        answer, far_end = os.pipe()
        process = self.run("call", function, keywords, fds=(far_end,), env=env)
        os.close(far_end)
        return Call(process, answer)

    def must_have(self, name: str) -> None:
        """Say so when a file of the exercise is not there."""
        if not (self.folder / name).is_file():
            back = f"kit reset {self._number}" if self._number else "kit update"
            raise Inconclusive(f"There is no {self.folder.name}/{name} in {self.folder.parent}. To get it back: {back}")
