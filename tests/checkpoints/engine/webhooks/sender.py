"""The sender of the callbacks that a learner's receiver takes: it holds the secret, and signs what it sends."""

import json
import secrets
from contextlib import nullcontext

from tests.checkpoints.engine.actors.agent_control import Run
from tests.checkpoints.engine.actors.app import App
from tests.checkpoints.engine.actors.task import Json
from tests.checkpoints.engine.diagnosis.failures import Wrong
from tests.checkpoints.engine.diagnosis.framework_errors import first_detail
from tests.checkpoints.engine.http.http_client import Answer, NoAnswer, post_concurrently, send_request, summarize
from tests.checkpoints.engine.webhooks.signing import signed_headers

PATH = "/hooks/agent"
_NOT_REACHED = (
    "FastAPI did not get to your code: it looks for something else in the request than what a callback has.",
    "let the handler have the stub's parameters, `request: Request, background_tasks: BackgroundTasks`, and no others.",
)


class Sender:
    """Holds the secret, and sends callbacks to the learner's endpoint."""

    def __init__(self, app: App, secret: str) -> None:
        self.app = app
        self.secret = secret

    def delivery(self, age: float = 0, instead: Json | None = None) -> tuple[str, bytes, dict[str, str]]:
        """A task id, the callback that tells its outcome, and the headers of a genuine delivery."""
        task_id = secrets.token_hex(4)
        callback = {"result": "Ja, für 3 €", "status": "completed", "task_id": task_id, "progress": 100, "error": None}
        callback |= {"prompt": "Was kostet das?", "callback_url": f"{self.app.url}{PATH}", **(instead or {})}
        # Spaces, order and letters as no library writes them: whoever writes the body anew gets other bytes.
        body = f" {json.dumps(callback, ensure_ascii=False, separators=(' ,', ' :  '))}\n".encode()
        return task_id, body, signed_headers(self.secret, f"msg_{task_id}", body, age)

    def post(self, what: str, body: bytes, headers: dict[str, str]) -> Answer:
        """Send one, note it, and give the answer. 5xx and no answer are diagnosed."""
        self.app.timeline.note(f"POST {PATH} ({what})")
        try:
            answer = send_request(self.app.url, "POST", PATH, body, headers, within=self.app.time_limit)
        except NoAnswer as error:
            self.app.timeline.amend(f" → {error}")
            raise self.silent(error) from None
        self.app.timeline.amend(f" → {summarize(answer)}")
        self.app.refuse_5xx(answer)
        self.app.must_be_there("POST", PATH, answer)
        return answer

    def take(self, what: str, body: bytes, headers: dict[str, str]) -> None:
        """Send one that must be taken."""
        answer = self.post(what, body, headers)
        where, missed = first_detail(answer.json) if answer.status == 422 else ([], "")
        if where:
            raise Wrong("GENUINE_REFUSED", f"it misses {'.'.join(where)}: {missed}", *_NOT_REACHED)
        if not 200 <= answer.status < 300:
            raise Wrong("GENUINE_REFUSED")

    def refuse(self, what: str, body: bytes, headers: dict[str, str], code: str) -> None:
        """Send one that must be refused."""
        if not 400 <= self.post(what, body, headers).status < 500:
            raise Wrong(code)

    def repeat(self, what: str, task_id: str, body: bytes) -> None:
        """Send a delivery once more: with the same id, and a timestamp and a signature of its own."""
        again = signed_headers(self.secret, f"msg_{task_id}", body, age=-1)
        if not 200 <= self.post(what, body, again).status < 300:
            raise Wrong("REPEAT_REFUSED")

    def quietly(self, body: bytes, headers: dict[str, str], times: int = 1) -> None:
        """Send one that must be taken, so many times at the same moment, and do not note it."""
        still = self.app.suspended() if times > 1 else nullcontext()
        try:
            answers = post_concurrently(self.app.url, PATH, body, headers, times, still, within=self.app.time_limit)
        except NoAnswer as error:
            raise self.silent(error) from None
        for answer in answers:
            self.app.refuse_5xx(answer, summarize(answer))
            if not 200 <= answer.status < 300:
                raise Wrong("REPEAT_REFUSED", summarize(answer))

    def worked_on(self, task_id: str, what: str, likely: str = "", next_step: str = "") -> Run:
        """The work on a callback, which must begin in time."""
        run = self.app.agent_control.wait_for(prompt(task_id), self.app.time_limit)
        if run is None:
            self.app.timeline.note(f"the work on the {what} does not begin")
            raise Wrong("CALLBACK_DROPPED", "", likely, next_step)
        self.app.timeline.note(f"the work on the {what} begins")
        return run

    def marker(self) -> None:
        """A genuine delivery, worked on to its end: what came before it has had its chance to begin."""
        task_id, body, headers = self.delivery()
        self.take("a genuine one after it", body, headers)
        self.worked_on(task_id, "genuine one").finish()
        for _ in range(2):  # and two more that are not told: on a busy machine what came first may begin a little later
            task_id, body, headers = self.delivery()
            self.quietly(body, headers)
            if run := self.app.agent_control.wait_for(prompt(task_id), self.app.time_limit):
                run.finish()

    def handled_once(self, task_id: str, what: str, likely: str = "", next_step: str = "") -> None:
        """Nothing may have been worked on twice."""
        if len(self.app.agent_control.of(prompt(task_id))) > 1:
            raise Wrong("HANDLED_TWICE", f"the work on {what} has begun more than once", likely, next_step)

    def silent(self, error: NoAnswer) -> Wrong:
        """What it means that nobody answers."""
        if ended := self.app.ended():
            return Wrong("CRASHED", ended)
        if not error.late or not self.app.agent_control.wait_for_any(self.app.time_limit):
            return Wrong("NO_ANSWER")
        self.app.timeline.note("the work is going on meanwhile")
        return Wrong("ANSWER_WAITS_FOR_WORK") if len(self.app.agent_control.runs) == 1 else Wrong("LOOP_BLOCKED")


def prompt(task_id: str) -> str:
    return f"Follow up on {task_id}"
