"""A receiver of callbacks that reads the status before it responds: is the callback the same as the status?

Its response is held until it is released: until then the task cannot have changed because of the delivery.
"""

from concurrent.futures import Future

from tests.checkpoints.engine.actors.task import FINISHED, Task
from tests.checkpoints.engine.diagnosis.failures import Wrong
from tests.checkpoints.engine.http.http_client import NoResponse, Response, send_request, summarize
from tests.checkpoints.engine.http.scripted_server import Reply, Request
from tests.checkpoints.engine.webhooks.receiver import CallbackReply, Receiver


class StatusReader:
    """A receiver that reads the status before it responds."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._seen: Future[Response | NoResponse | None] = Future()
        self.reply = CallbackReply(Reply(200), "200, after reading the status", self._look)

    def _look(self, request: Request) -> None:
        if self._seen.done():
            return
        app, task = self._receiver.app, self._receiver.task_of(request)
        try:
            path = f"/agent/status/{task.task_id}"
            self._seen.set_result(send_request(app.url, "GET", path, within=app.time_limit) if task.task_id else None)
        except NoResponse as error:
            self._seen.set_result(error)
        if task.task_id:
            self._receiver.hold()

    def could_have_read_it(self, task: Task) -> None:
        """Diagnose a callback that was sent before status showed its outcome."""
        app = self._receiver.app
        seen = self._seen.result(2 * app.time_limit)
        asked = f"GET /agent/status/{task.task_id}, during the callback"
        if isinstance(seen, NoResponse):
            raise Wrong("DELIVERY_BLOCKS", f"{asked} → {seen}")
        body = seen.json if seen else None
        if not isinstance(body, dict) or body.get("status") not in FINISHED:
            early = f"{asked} → {summarize(seen)}" if seen else "the callback arrived before the response to submit"
            raise Wrong("CALLBACK_TOO_SOON", early)
