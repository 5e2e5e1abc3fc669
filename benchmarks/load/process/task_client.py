"""One task from the client's side: submit it, learn its outcome, and record every moment."""

import time
from collections.abc import Callable

from benchmarks.load.process.client_behaviours import ClientBehaviour
from benchmarks.load.process.http_client import Session, submit
from benchmarks.records.samples import Outcome, Sample

Report = Callable[[Sample], None]


class TaskClient:
    """Behaves as the client of a pattern. Any number of greenlets may share one."""

    def __init__(self, learn: ClientBehaviour, *, deadline: float, callback_url: str | None, report: Report) -> None:
        self._learn = learn
        self._deadline = deadline
        self._callback_url = callback_url
        self._report = report

    def perform(self, session: Session, sample: Sample, prompt: str) -> None:
        """Run one task to its outcome and report its sample exactly once, even if interrupted."""
        try:
            self._submit(session, sample, prompt)
            if sample.accepted is not None:
                self._wait(session, sample, sample.accepted + self._deadline)
        finally:
            sample.ended = time.time()
            self._report(sample)

    def _submit(self, session: Session, sample: Sample, prompt: str) -> None:
        sample.sent = time.time()
        answer = submit(session, sample, prompt, self._callback_url)
        now = time.time()
        sample.http_status, sample.task_id = answer.http_status, answer.text("task_id")
        if answer.http_status == 202 and sample.task_id:
            sample.accepted = now
        else:
            sample.outcome = Outcome.REFUSED if answer.http_status == 503 else Outcome.ERROR

    def _wait(self, session: Session, sample: Sample, deadline: float) -> None:
        answer = self._learn(session, sample, deadline)
        if answer is None:
            sample.outcome = Outcome.LOST
            return
        sample.notified = sample.notified or time.time()
        sample.status = answer.text("status")
        sample.started, sample.finished = answer.moment("started_at"), answer.moment("finished_at")
        sample.outcome = Outcome.COMPLETED if sample.status == "completed" else Outcome.FAILED
