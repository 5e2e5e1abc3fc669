"""A server under test, over HTTP: diagnoses a 5xx and a missing response."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from tests.checkpoints.engine.actors.agent_control import AgentControl
from tests.checkpoints.engine.actors.external import ITS_OWN_AGENT, NOT_STARTED_HERE, silent_server
from tests.checkpoints.engine.diagnosis.failures import NotFromOutside, Wrong
from tests.checkpoints.engine.diagnosis.framework_errors import ON_PURPOSE, last_error, meaning
from tests.checkpoints.engine.diagnosis.learner_output import raised_in
from tests.checkpoints.engine.diagnosis.timeline import Timeline
from tests.checkpoints.engine.http.http_client import NoResponse, Response, send_request, summarize
from tests.checkpoints.engine.http.routes import routes_instead
from tests.checkpoints.engine.processes.fork_server import LearnerProcess
from tests.checkpoints.engine.processes.time_limits import TIME_LIMIT_SECONDS, load_factor


class Server:
    """A server under test."""

    def __init__(
        self,
        url: str,
        timeline: Timeline,
        agent_control: AgentControl | None = None,
        process: LearnerProcess | None = None,
    ) -> None:
        self.url = url
        self.timeline = timeline
        self.process = process
        self.time_limit = round((TIME_LIMIT_SECONDS if agent_control else 4 * TIME_LIMIT_SECONDS) * load_factor(), 1)
        self._agent_control = agent_control
        self._has_status_route = False  # its status route has returned a task

    @property
    def agent_control(self) -> AgentControl:
        """The control of the agent. Raises `NotFromOutside` for an external server."""
        if self._agent_control is None:
            raise NotFromOutside(ITS_OWN_AGENT)
        return self._agent_control

    @property
    def external(self) -> bool:
        """Whether this is an external server, whose agent the kit cannot control."""
        return self._agent_control is None

    def must_control_the_agent(self) -> None:
        """Raise `NotFromOutside` if the kit cannot control the agent, which the check needs."""
        if self.external:
            raise NotFromOutside(ITS_OWN_AGENT)

    def request(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None, note: bool = True
    ) -> Response:
        """Send one request. Diagnoses 501, 5xx and a missing response; the check judges all other responses."""
        if note:
            self.timeline.note(f"{method} {path}")
        try:
            answer = send_request(self.url, method, path, body, headers, within=self.time_limit)
        except NoResponse as error:
            if note:
                self.timeline.amend(f" → {error}")
            raise self.silent(error, path, "" if note else f"{method} {path} → {error}") from None
        if note:
            self.timeline.amend(f" → {summarize(answer)}")
        seen = "" if note else f"{method} {path} → {summarize(answer)}"
        self.refuse_5xx(answer, seen)
        self.must_be_there(method, path, answer, seen)
        return answer

    def must_be_there(self, method: str, path: str, answer: Response, seen: str = "") -> None:
        """Check that the learner's app has the requested route."""
        if path.startswith("/agent/status/") and answer.status == 200:
            self._has_status_route = True
        if self._has_status_route and path.startswith("/agent/status/"):
            return  # it exists, listed or not
        if self.process and path.startswith(("/agent/", "/hooks/")):
            routes = routes_instead(self.url, method, path, answer, self.time_limit)
            if routes:
                if seen:
                    self.timeline.note(seen)
                decorator = f'write the decorator as `@app.{method.lower()}("{path}")`.'
                next_step = decorator if path.startswith("/hooks/") else ""
                raise Wrong("NO_SUCH_ROUTE", f"the app's routes: {routes}", next_step=next_step)

    def refuse_5xx(self, answer: Response, seen: str = "") -> None:
        """Diagnose a 5xx: something is missing or broken. A 503 may be intended."""
        if answer.status == 501:
            detail = answer.json.get("detail") if isinstance(answer.json, dict) else None
            raise Wrong("NOT_IMPLEMENTED", seen, next_step=f"Fill this gap: {detail}" if detail else "")
        if answer.status >= 500 and answer.status != 503:
            error = self.what_broke()
            if error and seen:
                self.timeline.note(seen)
            if not error and isinstance(answer.json, dict) and "detail" in answer.json:
                raise Wrong("SERVER_ERROR", seen, *ON_PURPOSE)
            raise Wrong("SERVER_ERROR", f"the server printed {error}" if error else seen, *meaning(error))

    def what_broke(self) -> str:
        """The exception behind a 500 if it was raised outside the learner's code; empty otherwise."""
        self.wait_for_traceback()
        return last_error(self.process.output) if self.process and not raised_in(self.process) else ""

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Suspend the process during the block: what is sent to it waits."""
        process = psutil.Process(self.process.pid) if self.process else None
        if process:
            process.suspend()
        try:
            yield
        finally:
            if process:
                process.resume()

    def stop(self) -> None:
        """Ask the process to stop, and check that it does.

        After SIGTERM uvicorn ends itself with the same signal, whatever is still running. After SIGINT it waits.
        """
        if self.process is None:
            raise NotFromOutside(NOT_STARTED_HERE)
        self.timeline.note("the process is asked to stop (SIGINT, like Ctrl-C)")
        psutil.Process(self.process.pid).send_signal(signal.SIGINT)
        deadline = time.monotonic() + self.time_limit
        while not self.ended():
            if time.monotonic() > deadline:
                raise Wrong("DOES_NOT_STOP", f"it is still running after {self.time_limit:g} s")
            time.sleep(0.01)

    def ended(self) -> str:
        """How the learner's process ended; empty while it is running, and for an external server."""
        code = self.process.exit_code if self.process else None
        if code is None:
            return ""
        return f"the process was ended by signal {-code}" if code < 0 else f"the process exited with code {code}"

    def ended_with(self, error: NoResponse) -> str:
        """How the process ended, if that caused the error: connections break a moment before the exit code is known."""
        deadline = time.monotonic() + (0 if error.late else 0.5)
        while self.process and not self.ended() and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.ended()

    def wait_for_traceback(self, within: float = 0.5) -> None:
        """Give the learner's process a moment to print its exception, so that the report can show the line."""
        deadline = time.monotonic() + within
        while self.process and not self.ended() and time.monotonic() < deadline:
            if raised_in(self.process) or last_error(self.process.output):
                return
            time.sleep(0.01)

    def silent(self, error: NoResponse, path: str, seen: str = "") -> Wrong:
        """The diagnosis of a request without a response: do other requests get one, at least once the agent is done?"""
        if ended := self.ended_with(error):
            return Wrong("CRASHED", ended)
        if self.external:
            return silent_server(self.url, self.time_limit, seen, error)
        if seen:
            self.timeline.note(seen)
        at_work = self.agent_control.at_work
        if not error.late:
            return Wrong("NO_ANSWER")
        if self.answers():
            self.timeline.note("another request gets a response meanwhile")
            return Wrong("STATUS_WAITS" if at_work and path.startswith("/agent/status/") else "NO_ANSWER")
        for run in at_work:
            run.finish()
        if at_work and self.answers():
            self.timeline.note("the agent is allowed to finish, and the server responds again")
            return Wrong("LOOP_BLOCKED")
        self.timeline.note(
            "other requests get no response either" + (", even after the agent has finished" if at_work else "")
        )
        return Wrong("BLOCKING_CALL")

    def answers(self, method: str = "GET", path: str = "/", body: object = None) -> bool:
        """Whether a request gets a response soon, whatever it is."""
        try:
            send_request(self.url, method, path, body, within=self.time_limit / 2)
        except NoResponse:
            return False
        return True
