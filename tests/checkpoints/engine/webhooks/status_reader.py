"""A receiver of callbacks that reads the status before it answers: does the callback say what status says?

Its answer is held back until it is let go: until then nothing that comes after a delivery has happened to the task.
"""

from concurrent.futures import Future

from tests.checkpoints.engine.actors.task import FINISHED, Task
from tests.checkpoints.engine.diagnosis.failures import Wrong
from tests.checkpoints.engine.http.http_client import Answer, NoAnswer, send_request, summarize
from tests.checkpoints.engine.http.scripted_server import Reply, Request
from tests.checkpoints.engine.webhooks.receiver import CallbackReply, Receiver


class StatusReader:
    """A receiver that asks for the status before it answers."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._seen: Future[Answer | NoAnswer | None] = Future()
        self.reply = CallbackReply(Reply(200), "200, after it has asked for the status", self._look)

    def _look(self, request: Request) -> None:
        if self._seen.done():
            return
        app, task = self._receiver.app, self._receiver.task_of(request)
        try:
            path = f"/agent/status/{task.task_id}"
            self._seen.set_result(send_request(app.url, "GET", path, within=app.time_limit) if task.task_id else None)
        except NoAnswer as error:
            self._seen.set_result(error)
        if task.task_id:
            self._receiver.hold()

    def could_have_read_it(self, task: Task) -> None:
        """Diagnose a callback that came before its outcome could be read."""
        app = self._receiver.app
        seen = self._seen.result(2 * app.time_limit)
        asked = f"GET /agent/status/{task.task_id}, asked before the callback is answered"
        if isinstance(seen, NoAnswer):
            raise Wrong("DELIVERY_BLOCKS", f"{asked}: {seen}")
        body = seen.json if seen else None
        if not isinstance(body, dict) or body.get("status") not in FINISHED:
            early = f"{asked} → {summarize(seen)}" if seen else "it came before submit was answered"
            raise Wrong("CALLBACK_TOO_SOON", early)
