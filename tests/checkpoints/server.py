"""A learner's server, or anybody's, asked over HTTP: what a 5xx and a silence mean is diagnosed here."""

import time

from tests.checkpoints.asking import Answer, NoAnswer, ask, told
from tests.checkpoints.desk import Desk
from tests.checkpoints.outside import ITS_OWN_AGENT, silent_server
from tests.checkpoints.patience import PATIENCE_SECONDS, crowding
from tests.checkpoints.processes import LearnerProcess
from tests.checkpoints.report import raised_in
from tests.checkpoints.timeline import Timeline
from tests.checkpoints.verdict import NotFromOutside, Wrong


class Server:
    """A server under test."""

    def __init__(
        self, url: str, timeline: Timeline, desk: Desk | None = None, process: LearnerProcess | None = None
    ) -> None:
        self.url = url
        self.timeline = timeline
        self.process = process
        self.patience = round((PATIENCE_SECONDS if desk else 4 * PATIENCE_SECONDS) * crowding(), 1)
        self._desk = desk

    @property
    def desk(self) -> Desk:
        """The agent's desk. Somebody else's server has an agent of its own."""
        if self._desk is None:
            raise NotFromOutside(ITS_OWN_AGENT)
        return self._desk

    @property
    def outside(self) -> bool:
        """Whether this is somebody else's server, whose agent nobody holds."""
        return self._desk is None

    def must_hold_the_agent(self) -> None:
        """Say so when the check cannot be made, because it decides when the agent does what."""
        if self.outside:
            raise NotFromOutside(ITS_OWN_AGENT)

    def ask(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None, note: bool = True
    ) -> Answer:
        """Send one request. 501, 5xx and no answer are diagnosed; every other answer is the caller's to judge."""
        if note:
            self.timeline.note(f"{method} {path}")
        try:
            answer = ask(self.url, method, path, body, headers, within=self.patience)
        except NoAnswer as error:
            if note:
                self.timeline.amend(f" → {error}")
            raise self.silent(error, f"{method} {path}: {error}" if not note else "") from None
        if note:
            self.timeline.amend(f" → {told(answer)}")
        self.refuse_5xx(answer, "" if note else f"{method} {path} → {told(answer)}")
        return answer

    def refuse_5xx(self, answer: Answer, seen: str = "") -> None:
        """Diagnose an answer that says that something is missing or broken. 503 may be meant."""
        if answer.status == 501:
            detail = answer.json.get("detail") if isinstance(answer.json, dict) else None
            raise Wrong("NOT_IMPLEMENTED", seen, next_step=f"Fill this gap: {detail}" if detail else "")
        if answer.status >= 500 and answer.status != 503:
            self.wait_for_traceback()
            raise Wrong("SERVER_ERROR", seen)

    def ended(self) -> str:
        """How the learner's process ended; empty while it runs, and for somebody else's server."""
        code = self.process.exit_code if self.process else None
        if code is None:
            return ""
        return f"the process was ended by signal {-code}" if code < 0 else f"the process ended with exit code {code}"

    def wait_for_traceback(self, within: float = 0.5) -> None:
        """Give the learner's process a moment to print what it raised, so that the learner is shown the line."""
        deadline = time.monotonic() + within
        while self.process and not self.ended() and not raised_in(self.process) and time.monotonic() < deadline:
            time.sleep(0.01)

    def silent(self, error: NoAnswer, seen: str) -> Wrong:
        """What it means that a request was not answered."""
        deadline = time.monotonic() + (0 if error.late else 0.5)
        while self.process and not self.ended() and time.monotonic() < deadline:
            time.sleep(0.01)  # a connection that broke may be its end, which is known a moment later
        if ended := self.ended():
            return Wrong("CRASHED", ended)
        if error.late and self._desk and self._desk.at_work:
            return Wrong("LOOP_BLOCKED", seen or "the agent is at work meanwhile")
        return silent_server(self.url, self.patience, seen, error) if self.outside else Wrong("NO_ANSWER", seen)
