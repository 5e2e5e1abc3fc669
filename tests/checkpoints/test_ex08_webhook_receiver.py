"""Checkpoint 8: verify, refuse what is stale, drop repeats, answer at once and work later."""

import json
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.checkpoints.app import App
from tests.checkpoints.asking import Answer, NoAnswer, ask, told
from tests.checkpoints.desk import Run
from tests.checkpoints.signing import new_secret, signed_headers
from tests.checkpoints.stage import Stage
from tests.checkpoints.verdict import NotFromOutside, Wrong

_PATH = "/hooks/agent"
_TEN_MINUTES = 600


class Sender:
    """Holds the secret, and sends callbacks to the learner's endpoint."""

    def __init__(self, app: App, secret: str) -> None:
        self.app = app
        self.secret = secret

    def delivery(self, age: float = 0, *, failed: bool = False) -> tuple[str, bytes, dict[str, str]]:
        """A task id, the callback that tells its outcome, and the headers of a genuine delivery."""
        task_id = secrets.token_hex(4)
        callback = {"result": "Ja, für 3 €", "status": "completed", "task_id": task_id, "progress": 100, "error": None}
        if failed:
            callback |= {"result": None, "status": "failed", "progress": 40, "error": "Das Modell antwortet nicht."}
        callback |= {"prompt": "Was kostet das?", "callback_url": f"{self.app.url}{_PATH}"}
        # Spaces, order and letters as no library writes them: whoever writes the body anew gets other bytes.
        body = json.dumps(callback, ensure_ascii=False, separators=(" ,", " :  ")).encode()
        return task_id, body, signed_headers(self.secret, f"msg_{task_id}", body, age)

    def post(self, what: str, body: bytes, headers: dict[str, str]) -> Answer:
        """Send one, note it, and give the answer. 5xx and no answer are diagnosed."""
        self.app.timeline.note(f"POST {_PATH} ({what})")
        try:
            answer = ask(self.app.url, "POST", _PATH, body, headers, within=self.app.patience)
        except NoAnswer as error:
            self.app.timeline.amend(f" → {error}")
            raise self.silent(error) from None
        self.app.timeline.amend(f" → {told(answer)}")
        self.app.refuse_5xx(answer)
        return answer

    def take(self, what: str, body: bytes, headers: dict[str, str]) -> None:
        """Send one that must be taken."""
        answer = self.post(what, body, headers)
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

    def worked_on(self, task_id: str, what: str, likely: str = "", next_step: str = "") -> Run:
        """The work on a callback, which must begin in time."""
        run = self.app.desk.wait_for(prompt(task_id), self.app.patience)
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
            quietly(self, body, headers)
            if run := self.app.desk.wait_for(prompt(task_id), self.app.patience):
                run.finish()

    def handled_once(self, task_id: str, what: str, likely: str = "", next_step: str = "") -> None:
        """Nothing may have been worked on twice."""
        if len(self.app.desk.of(prompt(task_id))) > 1:
            raise Wrong("HANDLED_TWICE", f"the work on {what} has begun more than once", likely, next_step)

    def silent(self, error: NoAnswer) -> Wrong:
        """What it means that nobody answers."""
        if ended := self.app.ended():
            return Wrong("CRASHED", ended)
        if not error.late or not self.app.desk.wait_for_any(self.app.patience):
            return Wrong("NO_ANSWER")
        self.app.timeline.note("the work is going on meanwhile")
        return Wrong("ANSWER_WAITS_FOR_WORK") if len(self.app.desk.runs) == 1 else Wrong("LOOP_BLOCKED")


def prompt(task_id: str) -> str:
    return f"Follow up on {task_id}"


@pytest.fixture
def sender(stage: Stage) -> Sender:
    """The sender of the callbacks, and the learner's endpoint, up and answering."""
    if stage.url:
        raise NotFromOutside("it needs the receiver's secret, and the kit's own agent")
    secret = new_secret()
    return Sender(stage.serve("receiver", WEBHOOK_SECRET=secret), secret)


@pytest.mark.points(2)
def test_a_genuine_delivery_is_taken_and_worked_on(sender: Sender) -> None:
    """A genuine delivery is taken, to the byte, and worked on once, whatever it tells."""
    for what, known_as in (("a genuine one", "genuine one"), ("another genuine one", "other")):
        task_id, body, headers = sender.delivery()
        sender.take(what, body, headers)
        sender.worked_on(task_id, known_as).finish()
    task_id, body, headers = sender.delivery(failed=True)
    sender.take("a genuine one, which tells a failure", body, headers)
    sender.worked_on(
        task_id,
        "one that tells a failure",
        likely="only a callback that says completed is worked on: whoever waits never hears of a failure.",
        next_step="hand every callback over that is genuine and new: what to make of it is for `work` to say.",
    ).finish()
    task_id, body, headers = sender.delivery(age=120)
    sender.take("a genuine one, two minutes old", body, headers)
    sender.worked_on(task_id, "one that is two minutes old").finish()


@pytest.mark.points(2)
def test_the_answer_does_not_wait_for_the_work(sender: Sender) -> None:
    """The answer leaves while the work goes on, and so does the answer to the next."""
    task_id, body, headers = sender.delivery()
    sender.take("a genuine one", body, headers)
    run = sender.worked_on(task_id, "genuine one")
    another, body, headers = sender.delivery()
    try:
        sender.take("another while the first is worked on", body, headers)
    except Wrong as wrong:
        raise Wrong("LOOP_BLOCKED") if wrong.code == "ANSWER_WAITS_FOR_WORK" else wrong from None
    run.finish()
    sender.worked_on(another, "other").finish()


@pytest.mark.points(2)
def test_a_forged_delivery_is_refused(sender: Sender) -> None:
    """What is not signed with the secret is refused, and not worked on."""
    forgeries: dict[str, Callable[[str, bytes, dict[str, str]], tuple[bytes, dict[str, str]]]] = {
        "another body": lambda _, body, headers: (body.replace(b"completed", b"failed"), headers),
        "another id": lambda _, body, headers: (body, {**headers, "webhook-id": "msg_other"}),
        "another timestamp": lambda _, body, headers: (
            body,
            {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)},
        ),
        "another key": lambda task_id, body, _: (body, signed_headers(new_secret(), f"msg_{task_id}", body)),
        "no signature": lambda _, body, headers: (body, without(headers, "webhook-signature")),
        "no timestamp": lambda _, body, headers: (body, without(headers, "webhook-timestamp")),
        "no id": lambda _, body, headers: (body, without(headers, "webhook-id")),
        "no headers": lambda _, body, __: (body, {}),
    }
    forged = []
    for what, forge in forgeries.items():
        task_id, body, headers = sender.delivery()
        forged.append(task_id)
        sender.refuse(what, *forge(task_id, body, headers), code="FORGED_ACCEPTED")
    sender.marker()
    if any(sender.app.desk.of(prompt(task_id)) for task_id in forged):
        raise Wrong("FORGED_ACCEPTED", "one of those that were refused is worked on all the same")


def test_a_malformed_delivery_is_refused_without_an_error(sender: Sender) -> None:
    """A signature or a timestamp that makes no sense is refused with a 4xx, not with a 500."""
    for name, value in (
        ("webhook-signature", "nonsense"),
        ("webhook-signature", "v1,not base64!"),
        ("webhook-signature", "v1,"),
        ("webhook-signature", "v1,YWJj,YWJj"),
        ("webhook-timestamp", "yesterday"),
        ("webhook-timestamp", "1e400"),
    ):
        _, body, headers = sender.delivery()
        sender.refuse(f"{name}: {value}", body, {**headers, name: value}, code="FORGED_ACCEPTED")


def test_a_stale_delivery_is_refused(sender: Sender) -> None:
    """A delivery whose timestamp is ten minutes off is refused, however well it is signed."""
    for what, age in (("signed ten minutes ago", _TEN_MINUTES), ("from ten minutes ahead", -_TEN_MINUTES)):
        _, body, headers = sender.delivery(age)
        sender.refuse(what, body, headers, code="STALE_ACCEPTED")


@pytest.mark.points(2)
def test_a_repeat_is_taken_and_not_worked_on_again(sender: Sender) -> None:
    """A repeat is taken and not worked on, whether at the same moment or long after. Nothing else is a repeat."""
    task_id, body, headers = sender.delivery()
    sender.take("a genuine one", body, headers)
    run = sender.worked_on(task_id, "genuine one")
    sender.repeat("the same delivery again", task_id, body)
    run.finish()
    sender.marker()
    sender.handled_once(task_id, "the repeat")
    sender.repeat("the same delivery again, long after its work is done", task_id, body)
    sender.marker()
    sender.handled_once(
        task_id,
        "the late repeat",
        likely="an id is forgotten when its work is done, or when the next delivery comes.",
        next_step="keep it: a sender whose answer was lost on the way sends it all again, minutes or hours later.",
    )
    sender.take("another delivery, which says the same", body, signed_headers(sender.secret, "msg_another", body))
    if (other := sender.app.desk.wait_for(prompt(task_id), sender.app.patience, number=2)) is None:
        raise Wrong(
            "CALLBACK_DROPPED",
            "the work on it does not begin",
            likely="what was taken is known by its task_id or its body. Two deliveries may well say the same.",
            next_step="remember the header `webhook-id`: all attempts at one delivery have the same, and no other has.",
        )
    other.finish()
    twin, body, headers = sender.delivery()
    sender.app.timeline.note(f"POST {_PATH} (one delivery, five times at the same moment)")
    with ThreadPoolExecutor(5) as threads:
        list(threads.map(lambda _: quietly(sender, body, headers), range(5)))
    sender.worked_on(twin, "five").finish()
    sender.marker()
    sender.handled_once(twin, "the five")


def test_a_forgery_does_not_keep_the_genuine_one_out(sender: Sender) -> None:
    """An id that a forger has used does not keep the genuine delivery out."""
    task_id, body, headers = sender.delivery()
    forged = signed_headers(new_secret(), f"msg_{task_id}", body)
    sender.refuse("forged, with the id of one that is to come", body, forged, code="FORGED_ACCEPTED")
    sender.take("the genuine one", body, headers)
    sender.worked_on(task_id, "genuine one").finish()


def test_any_of_several_signatures_will_do(sender: Sender) -> None:
    """While keys rotate a delivery has several signatures; one that is right will do."""
    task_id, body, headers = sender.delivery()
    other = signed_headers(new_secret(), f"msg_{task_id}", body)["webhook-signature"]
    both = {**headers, "webhook-signature": f"v2,c29tZXRoaW5nIGVsc2U= {other} {headers['webhook-signature']}"}
    if not 200 <= sender.post("with three signatures, the last of them right", body, both).status < 300:
        raise Wrong(
            "GENUINE_REFUSED",
            likely="only the first signature is looked at, or the header as a whole is compared.",
            next_step="split the header at its spaces, and accept the delivery when any of them is right.",
        )
    sender.worked_on(task_id, "genuine one").finish()


def test_work_that_fails_does_not_stop_the_next(sender: Sender) -> None:
    """Work that fails does not keep the next delivery from being taken and worked on."""
    task_id, body, headers = sender.delivery()
    sender.take("a genuine one", body, headers)
    run = sender.worked_on(task_id, "genuine one")
    run.fail()
    sender.app.timeline.note("the work raises RuntimeError")
    sender.marker()


def without(headers: dict[str, str], name: str) -> dict[str, str]:
    return {other: value for other, value in headers.items() if other != name}


def quietly(sender: Sender, body: bytes, headers: dict[str, str]) -> None:
    try:
        answer = ask(sender.app.url, "POST", _PATH, body, headers, within=sender.app.patience)
    except NoAnswer as error:
        raise sender.silent(error) from None
    sender.app.refuse_5xx(answer, told(answer))
    if not 200 <= answer.status < 300:
        raise Wrong("REPEAT_REFUSED", told(answer))
