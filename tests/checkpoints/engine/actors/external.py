"""The agent of an external server: it takes as long as it takes, and only the status route says how far it is."""

import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from typing import TYPE_CHECKING, Any

from tests.checkpoints.engine.actors.agent_control import Run
from tests.checkpoints.engine.diagnosis.failures import Inconclusive, NotFromOutside, NotPassed, Wrong
from tests.checkpoints.engine.http.http_client import Answer, NoAnswer, send_request
from tests.checkpoints.engine.http.wire import moment

if TYPE_CHECKING:
    from tests.checkpoints.engine.actors.app import App
    from tests.checkpoints.engine.actors.task import Task

#: How long a task may take, waiting and working. An agent for these checks should take a few seconds.
LONGEST_SECONDS = 60.0
LOOK_SECONDS = 0.05
#: A request that hands work over takes milliseconds, on a crowded machine tens of them. One that works takes longer.
_SLOW_SECONDS = 1.0

ITS_OWN_AGENT = "it holds the agent at work, and this server has an agent of its own"
TOO_QUICK = "Its agent was done before anybody could look. Give it a few seconds of work, and check again."


class ExternalRun(Run):
    """The work on a task that is running, as the status route tells it. It goes on by itself."""

    def __init__(self, app: "App", task: "Task") -> None:
        self.prompt, self.pid, self.started = task.prompt, 0, time.monotonic()
        self.ending, self.gone = "", threading.Event()
        self._app, self._task = app, task

    def progress(self, percent: float) -> bool:
        """Not possible: raises `NotFromOutside`."""
        raise NotFromOutside("it chooses what the agent reports, and this server has an agent of its own")

    def finish(self) -> str:
        """Wait until the task is finished, and give its result; a check that wants a string looks at it itself."""
        deadline = self.started + LONGEST_SECONDS
        while (body := self._app.status(self._task, note=False)) and not self._task.finished:
            if time.monotonic() > deadline:
                raise Wrong("STUCK_RUNNING", f"GET /agent/status/{self._task.task_id} → still {self._task.seen}")
            time.sleep(LOOK_SECONDS)
        if self._task.seen == "failed":
            raise agent_failed(body)
        self.gone.set()
        return str(body.get("result"))

    def fail(self, message: str = "", kind: str = "") -> None:
        """Not possible: raises `NotFromOutside`."""
        raise NotFromOutside("it lets the agent fail, and this server has an agent of its own")


def begun(app: "App", task: "Task") -> ExternalRun:
    """The work on a task, once the server says that it runs."""
    asked = time.monotonic()
    body = app.status(task, note=False)
    looked = time.monotonic() - asked
    if task.finished:
        if asked - task.at > _SLOW_SECONDS:
            return ExternalRun(app, task)  # there were other things to do first: it may well be over
        raise over_at_the_first_look(task.took, looked)
    while task.seen == "pending" and time.monotonic() - asked < LONGEST_SECONDS:
        time.sleep(LOOK_SECONDS)
        body = app.status(task, note=False)
    app.timeline.note(f"GET /agent/status/{task.task_id} → 200 {task.seen}")
    if task.seen == "pending":
        raise Wrong("PENDING_FOREVER")
    if not task.ran:
        raise never_running(body, time.monotonic() - asked)
    return ExternalRun(app, task)


def over_at_the_first_look(took: float, looked: float) -> NotPassed:
    """What it means that a task was finished at the first look. Seconds that submit took, and the look."""
    if took + looked < _SLOW_SECONDS:
        return Inconclusive(TOO_QUICK)
    return Wrong("SUBMIT_BLOCKS" if took > looked else "LOOP_BLOCKED", _slow(took, looked))


def _slow(took: float, looked: float) -> str:
    return f"submit took {took:.1f} s, the first status {looked:.1f} s, and the task was finished by then"


def submit_is_late(asked: "Future[Answer]", time_limit: float) -> Wrong:
    """What it means that a submit is not answered in time. What became of it, and how long an answer may take."""
    try:
        body = asked.result(5 * time_limit).json
    except (NoAnswer, NotYet):
        return Wrong("NO_ANSWER")
    word = body.get("status") if isinstance(body, dict) else None
    return Wrong("SUBMIT_BLOCKS" if word == "completed" else "NO_ANSWER", f"the submit is answered late → {word}")


def silent_server(url: str, time_limit: float, seen: str, error: NoAnswer) -> Wrong:
    """What it means that a request was not answered: another one tells more."""
    began = time.monotonic()
    try:
        send_request(url, "GET", "/health", within=5 * time_limit if error.late else time_limit)
    except NoAnswer as still:
        return Wrong("NO_ANSWER", seen) if error.late else Wrong("CRASHED", f"GET /health → {still}", *_GONE)
    silent = time.monotonic() - began
    if error.late and silent > _SLOW_SECONDS:
        return Wrong("LOOP_BLOCKED", seen or f"GET /health is answered {silent:.1f} s later")
    return Wrong("NO_ANSWER", seen)


_GONE = (
    "the server has ended: somebody stopped it, or an error did.",
    "look at its output, start it, and check again.",
)


def never_running(body: dict[str, Any], watched: float) -> NotPassed:
    """What it means that a task went from pending to its end under our eyes. The finished task, and for how long."""
    if body.get("status") == "failed":
        return agent_failed(body)
    began, ended = moment(body.get("started_at")), moment(body.get("finished_at"))
    worked = (ended - began).total_seconds() if began and ended else watched
    return Inconclusive(TOO_QUICK) if worked < _SLOW_SECONDS else Wrong("NOT_MARKED_RUNNING")


def agent_failed(body: dict[str, Any]) -> Inconclusive:
    """It did not work, and whether it should have is not known here."""
    return Inconclusive(f"The server's own agent failed: {body.get('error')}. Give it one that does its work.")
