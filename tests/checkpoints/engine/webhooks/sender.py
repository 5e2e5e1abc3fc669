"""The sender of callbacks to a learner's receiver: it has the secret, and signs what it sends."""

import json
import secrets
from contextlib import nullcontext

from tests.checkpoints.engine.actors.agent_control import Run
from tests.checkpoints.engine.actors.app import App
from tests.checkpoints.engine.actors.task import Json
from tests.checkpoints.engine.diagnosis.failures import Wrong
from tests.checkpoints.engine.diagnosis.framework_errors import first_detail
from tests.checkpoints.engine.http.http_client import NoResponse, Response, post_concurrently, send_request, summarize
from tests.checkpoints.engine.webhooks.signing import signed_headers

PATH = "/hooks/agent"
_NOT_REACHED = (
    "FastAPI did not call your code: it expects something in the request that a callback does not have.",
    "give the handler only the stub's parameters: `request: Request, background_tasks: BackgroundTasks`.",
)


class Sender:
    """Has the secret, and sends callbacks to the learner's endpoint."""

    def __init__(self, app: App, secret: str) -> None:
        self.app = app
        self.secret = secret

    def delivery(self, age: float = 0, instead: Json | None = None) -> tuple[str, bytes, dict[str, str]]:
        """A task id, the body of its callback, and the headers of a genuine delivery."""
        task_id = secrets.token_hex(4)
        callback = {"result": "Ja, für 3 €", "status": "completed", "task_id": task_id, "progress": 100, "error": None}
        callback |= {"prompt": "Was kostet das?", "callback_url": f"{self.app.url}{PATH}", **(instead or {})}
        # Spaces, order and escapes that no library produces: encoding the parsed body again gives different bytes.
        body = f" {json.dumps(callback, ensure_ascii=False, separators=(' ,', ' :  '))}\n".encode()
        return task_id, body, signed_headers(self.secret, f"msg_{task_id}", body, age)

    def post(self, what: str, body: bytes, headers: dict[str, str]) -> Response:
        """Send a callback, and note it in the timeline. Diagnoses 5xx and a missing response."""
        self.app.timeline.note(f"POST {PATH} ({what})")
        try:
            answer = send_request(self.app.url, "POST", PATH, body, headers, within=self.app.time_limit)
        except NoResponse as error:
            self.app.timeline.amend(f" → {error}")
            raise self.silent(error) from None
        self.app.timeline.amend(f" → {summarize(answer)}")
        self.app.refuse_5xx(answer)
        self.app.must_be_there("POST", PATH, answer)
        return answer

    def take(self, what: str, body: bytes, headers: dict[str, str]) -> None:
        """Send a callback that must be accepted."""
        answer = self.post(what, body, headers)
        where, missed = first_detail(answer.json) if answer.status == 422 else ([], "")
        if where:
            raise Wrong("GENUINE_REFUSED", f"422 for {'.'.join(where)}: {missed}", *_NOT_REACHED)
        if not 200 <= answer.status < 300:
            raise Wrong("GENUINE_REFUSED")

    def refuse(self, what: str, body: bytes, headers: dict[str, str], code: str) -> None:
        """Send a callback that must be refused."""
        if not 400 <= self.post(what, body, headers).status < 500:
            raise Wrong(code)

    def repeat(self, what: str, task_id: str, body: bytes) -> None:
        """Send a delivery again: with the same id, and a new timestamp and signature."""
        again = signed_headers(self.secret, f"msg_{task_id}", body, age=-1)
        if not 200 <= self.post(what, body, again).status < 300:
            raise Wrong("REPEAT_REFUSED")

    def quietly(self, body: bytes, headers: dict[str, str], times: int = 1) -> None:
        """Send a callback that must be accepted, `times` times at once, without a note in the timeline."""
        still = self.app.suspended() if times > 1 else nullcontext()
        try:
            answers = post_concurrently(self.app.url, PATH, body, headers, times, still, within=self.app.time_limit)
        except NoResponse as error:
            raise self.silent(error) from None
        for answer in answers:
            self.app.refuse_5xx(answer, summarize(answer))
            if not 200 <= answer.status < 300:
                raise Wrong("REPEAT_REFUSED", summarize(answer))

    def worked_on(self, task_id: str, what: str, likely: str = "", next_step: str = "") -> Run:
        """The work on a callback, which must start in time."""
        run = self.app.agent_control.wait_for(prompt(task_id), self.app.time_limit)
        if run is None:
            self.app.timeline.note(f"the work on {what} does not start")
            raise Wrong("CALLBACK_DROPPED", "", likely, next_step)
        self.app.timeline.note(f"the work on {what} starts")
        return run

    def marker(self) -> None:
        """Send a genuine delivery and finish the work on it: by then, earlier work has had the time to start."""
        task_id, body, headers = self.delivery()
        self.take("a genuine delivery after that", body, headers)
        self.worked_on(task_id, "it").finish()
        for _ in range(2):  # two more that are not noted: on a busy machine the first work may start a little later
            task_id, body, headers = self.delivery()
            self.quietly(body, headers)
            if run := self.app.agent_control.wait_for(prompt(task_id), self.app.time_limit):
                run.finish()

    def handled_once(self, task_id: str, likely: str = "", next_step: str = "") -> None:
        """Check that a delivery was not worked on twice."""
        if len(self.app.agent_control.of(prompt(task_id))) > 1:
            raise Wrong("HANDLED_TWICE", "the delivery was worked on more than once", likely, next_step)

    def silent(self, error: NoResponse) -> Wrong:
        """The diagnosis of a missing response."""
        if ended := self.app.ended():
            return Wrong("CRASHED", ended)
        if not error.late or not self.app.agent_control.wait_for_any(self.app.time_limit):
            return Wrong("NO_ANSWER")
        self.app.timeline.note("the work is still running")
        return Wrong("ANSWER_WAITS_FOR_WORK") if len(self.app.agent_control.runs) == 1 else Wrong("LOOP_BLOCKED")


def prompt(task_id: str) -> str:
    return f"Follow up on {task_id}"
