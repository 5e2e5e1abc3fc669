"""A server under test, over HTTP: what a 5xx and a missing answer mean is diagnosed here."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from tests.checkpoints.engine.actors.agent_control import AgentControl
from tests.checkpoints.engine.actors.external import ITS_OWN_AGENT, silent_server
from tests.checkpoints.engine.diagnosis.failures import NotFromOutside, Wrong
from tests.checkpoints.engine.diagnosis.framework_errors import ON_PURPOSE, last_error, meaning
from tests.checkpoints.engine.diagnosis.learner_output import raised_in
from tests.checkpoints.engine.diagnosis.timeline import Timeline
from tests.checkpoints.engine.http.http_client import Answer, NoAnswer, send_request, summarize
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
        self._tells_tasks = False  # its status route has answered

    @property
    def agent_control(self) -> AgentControl:
        """Controls the agent. An external server has its own agent."""
        if self._agent_control is None:
            raise NotFromOutside(ITS_OWN_AGENT)
        return self._agent_control

    @property
    def external(self) -> bool:
        """Whether this is an external server, whose agent nobody controls."""
        return self._agent_control is None

    def must_control_the_agent(self) -> None:
        """Say so when the check cannot be made, because it decides when the agent does what."""
        if self.external:
            raise NotFromOutside(ITS_OWN_AGENT)

    def request(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None, note: bool = True
    ) -> Answer:
        """Send one request. 501, 5xx and no answer are diagnosed; every other answer is for the check to judge."""
        if note:
            self.timeline.note(f"{method} {path}")
        try:
            answer = send_request(self.url, method, path, body, headers, within=self.time_limit)
        except NoAnswer as error:
            if note:
                self.timeline.amend(f" → {error}")
            raise self.silent(error, path, "" if note else f"{method} {path} → {error}") from None
        if note:
            self.timeline.amend(f" → {summarize(answer)}")
        seen = "" if note else f"{method} {path} → {summarize(answer)}"
        self.refuse_5xx(answer, seen)
        self.must_be_there(method, path, answer, seen)
        return answer

    def must_be_there(self, method: str, path: str, answer: Answer, seen: str = "") -> None:
        """See that the route that was asked for is one that the learner's app has."""
        if path.startswith("/agent/status/") and answer.status == 200:
            self._tells_tasks = True
        if self._tells_tasks and path.startswith("/agent/status/"):
            return  # it is there, listed or not
        if self.process and path.startswith(("/agent/", "/hooks/")):
            has = routes_instead(self.url, method, path, answer, self.time_limit)
            if has:
                if seen:
                    self.timeline.note(seen)
                said = f'make the decorator say `@app.{method.lower()}("{path}")`.'
                next_step = said if path.startswith("/hooks/") else ""
                raise Wrong("NO_SUCH_ROUTE", f"the app's routes: {has}", next_step=next_step)

    def refuse_5xx(self, answer: Answer, seen: str = "") -> None:
        """Diagnose an answer that says that something is missing or broken. 503 may be meant."""
        if answer.status == 501:
            detail = answer.json.get("detail") if isinstance(answer.json, dict) else None
            raise Wrong("NOT_IMPLEMENTED", seen, next_step=f"Fill this gap: {detail}" if detail else "")
        if answer.status >= 500 and answer.status != 503:
            error = self.what_broke()
            if error and seen:
                self.timeline.note(seen)
            if not error and isinstance(answer.json, dict) and "detail" in answer.json:
                raise Wrong("SERVER_ERROR", seen, *ON_PURPOSE)
            raise Wrong("SERVER_ERROR", f"it printed {error}" if error else seen, *meaning(error))

    def what_broke(self) -> str:
        """The exception behind a 500 that came through none of the learner's lines; empty for one that did."""
        self.wait_for_traceback()
        return last_error(self.process.output) if self.process and not raised_in(self.process) else ""

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """As long as the block lasts, the process does nothing: what is sent to it waits."""
        process = psutil.Process(self.process.pid) if self.process else None
        if process:
            process.suspend()
        try:
            yield
        finally:
            if process:
                process.resume()

    def stop(self) -> None:
        """Tell the process to stop, and see that it does.

        After SIGTERM uvicorn ends itself by the same signal, whatever still runs. After SIGINT it waits for that.
        """
        if self.process is None:
            raise NotFromOutside("it stops the server, and this one is somebody else's")
        self.timeline.note("the process is told to stop (SIGINT, as Ctrl-C does)")
        psutil.Process(self.process.pid).send_signal(signal.SIGINT)
        deadline = time.monotonic() + self.time_limit
        while not self.ended():
            if time.monotonic() > deadline:
                raise Wrong("DOES_NOT_STOP", f"it still runs, after {self.time_limit:g} s")
            time.sleep(0.01)

    def ended(self) -> str:
        """How the learner's process ended; empty while it runs, and for an external server."""
        code = self.process.exit_code if self.process else None
        if code is None:
            return ""
        return f"the process was ended by signal {-code}" if code < 0 else f"the process ended with exit code {code}"

    def ended_with(self, error: NoAnswer) -> str:
        """How it ended, if that is why a request was not answered: a connection breaks a moment before it is known."""
        deadline = time.monotonic() + (0 if error.late else 0.5)
        while self.process and not self.ended() and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.ended()

    def wait_for_traceback(self, within: float = 0.5) -> None:
        """Give the learner's process a moment to print what it raised, so that the learner is shown the line."""
        deadline = time.monotonic() + within
        while self.process and not self.ended() and time.monotonic() < deadline:
            if raised_in(self.process) or last_error(self.process.output):
                return
            time.sleep(0.01)

    def silent(self, error: NoAnswer, path: str, seen: str = "") -> Wrong:
        """What it means that a request was not answered: is anything answered, and is it again without the agent?"""
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
            self.timeline.note("another request is answered meanwhile")
            return Wrong("STATUS_WAITS" if at_work and path.startswith("/agent/status/") else "NO_ANSWER")
        for run in at_work:
            run.finish()
        if at_work and self.answers():
            self.timeline.note("the agent is let finish, and the server answers again")
            return Wrong("LOOP_BLOCKED")
        self.timeline.note("no other request is answered" + (", though the agent is let finish" if at_work else ""))
        return Wrong("BLOCKING_CALL")

    def answers(self, method: str = "GET", path: str = "/", body: object = None) -> bool:
        """Whether a request is answered soon, whatever the answer."""
        try:
            send_request(self.url, method, path, body, within=self.time_limit / 2)
        except NoAnswer:
            return False
        return True
