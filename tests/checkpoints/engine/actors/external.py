"""The agent of an external server: the kit cannot control it, and sees its progress only through the status route."""

import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from typing import TYPE_CHECKING, Any

from tests.checkpoints.engine.actors.agent_control import Run
from tests.checkpoints.engine.diagnosis.failures import Inconclusive, NotFromOutside, NotPassed, Wrong
from tests.checkpoints.engine.http.http_client import NoResponse, Response, send_request
from tests.checkpoints.engine.http.wire import moment

if TYPE_CHECKING:
    from tests.checkpoints.engine.actors.app import App
    from tests.checkpoints.engine.actors.task import Task

#: How long a task may take, including its time in the queue. An agent for these checks should take a few seconds.
LONGEST_SECONDS = 60.0
LOOK_SECONDS = 0.05
#: A request that only hands work over takes milliseconds, on a busy machine tens of milliseconds.
_SLOW_SECONDS = 1.0

ITS_OWN_AGENT = "this check must control the agent, but the server runs its own"
NOT_STARTED_HERE = "this check must control the process, but the kit did not start this server"
TOO_QUICK = "The server's agent finished too fast to be observed. Give it a few seconds of work, and check again."


class ExternalRun(Run):
    """The work on a running task, as the status route shows it. It cannot be controlled."""

    def __init__(self, app: "App", task: "Task") -> None:
        self.prompt, self.pid, self.started = task.prompt, 0, time.monotonic()
        self.ending, self.gone = "", threading.Event()
        self._app, self._task = app, task

    def progress(self, percent: float) -> bool:
        """Not possible: raises `NotFromOutside`."""
        raise NotFromOutside(ITS_OWN_AGENT)

    def finish(self) -> str:
        """Wait until the task is finished. Returns its result as a string."""
        deadline = self.started + LONGEST_SECONDS
        while (body := self._app.status(self._task, note=False)) and not self._task.finished:
            if time.monotonic() > deadline:
                raise Wrong("STUCK_RUNNING", f"GET /agent/status/{self._task.task_id} → {self._task.seen}, still")
            time.sleep(LOOK_SECONDS)
        if self._task.seen == "failed":
            raise agent_failed(body)
        self.gone.set()
        return str(body.get("result"))

    def fail(self, message: str = "", kind: str = "") -> None:
        """Not possible: raises `NotFromOutside`."""
        raise NotFromOutside(ITS_OWN_AGENT)


def external_run(app: "App", task: "Task") -> ExternalRun:
    """The work on a task, once the server reports it as running."""
    asked = time.monotonic()
    body = app.status(task, note=False)
    looked = time.monotonic() - asked
    if task.finished:
        if asked - task.at > _SLOW_SECONDS:
            return ExternalRun(app, task)  # other requests came first: it may well have finished
        raise finished_at_first_poll(task.took, looked)
    while task.seen == "pending" and time.monotonic() - asked < LONGEST_SECONDS:
        time.sleep(LOOK_SECONDS)
        body = app.status(task, note=False)
    app.timeline.note(f"GET /agent/status/{task.task_id} → 200 {task.seen}")
    if task.seen == "pending":
        raise Wrong("PENDING_FOREVER")
    if not task.ran:
        raise never_running(body, time.monotonic() - asked)
    return ExternalRun(app, task)


def finished_at_first_poll(took: float, looked: float) -> NotPassed:
    """The diagnosis of a task that was finished at the first poll. The seconds that submit took, and the poll."""
    if took + looked < _SLOW_SECONDS:
        return Inconclusive(TOO_QUICK)
    return Wrong("SUBMIT_BLOCKS" if took > looked else "LOOP_BLOCKED", _slow(took, looked))


def _slow(took: float, looked: float) -> str:
    return f"submit took {took:.1f} s, the first poll {looked:.1f} s, and the task was finished by then"


def submit_is_late(asked: "Future[Response]", time_limit: float) -> Wrong:
    """The diagnosis of a submit without a response in time. `asked` is the request."""
    try:
        body = asked.result(5 * time_limit).json
    except (NoResponse, NotYet):
        return Wrong("NO_ANSWER")
    word = body.get("status") if isinstance(body, dict) else None
    return Wrong("SUBMIT_BLOCKS" if word == "completed" else "NO_ANSWER", f"submit responds late → {word}")


def silent_server(url: str, time_limit: float, seen: str, error: NoResponse) -> Wrong:
    """The diagnosis of a request without a response, from the response to another request."""
    began = time.monotonic()
    try:
        send_request(url, "GET", "/health", within=5 * time_limit if error.late else time_limit)
    except NoResponse as still:
        return Wrong("NO_ANSWER", seen) if error.late else Wrong("CRASHED", f"GET /health → {still}", *_GONE)
    silent = time.monotonic() - began
    if error.late and silent > _SLOW_SECONDS:
        return Wrong("LOOP_BLOCKED", seen or f"GET /health responds {silent:.1f} s later")
    return Wrong("NO_ANSWER", seen)


_GONE = (
    "the server has ended: it was stopped, or an error ended it.",
    "look at its output, start it again, and run the check again.",
)


def never_running(body: dict[str, Any], watched: float) -> NotPassed:
    """The diagnosis of a task that finished without being seen running. The task, and for how long it was polled."""
    if body.get("status") == "failed":
        return agent_failed(body)
    began, ended = moment(body.get("started_at")), moment(body.get("finished_at"))
    worked = (ended - began).total_seconds() if began and ended else watched
    return Inconclusive(TOO_QUICK) if worked < _SLOW_SECONDS else Wrong("NOT_MARKED_RUNNING")


def agent_failed(body: dict[str, Any]) -> Inconclusive:
    """Inconclusive: whether this agent should have succeeded is unknown here."""
    return Inconclusive(
        f"The server's own agent failed: {body.get('error')}. Use an agent that succeeds, and check again."
    )
