"""The receiver of a learner's callbacks: its responses are scripted, and it stores all attempts."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.checkpoints.engine.actors.app import App
from tests.checkpoints.engine.actors.environment import CheckEnvironment
from tests.checkpoints.engine.actors.task import Json, Task
from tests.checkpoints.engine.diagnosis.failures import NotFromOutside, Wrong, WrongStatus
from tests.checkpoints.engine.diagnosis.learner_output import raised_in
from tests.checkpoints.engine.http.scripted_server import Reply, Request, ScriptedServer
from tests.checkpoints.engine.http.wire import FIELDS
from tests.checkpoints.engine.processes.fork_server import HTTPX, WEBHOOKS
from tests.checkpoints.engine.webhooks.callback import TIME_ZONE
from tests.checkpoints.engine.webhooks.signing import new_secret

_ELSEWHERE = "/elsewhere"
#: In seconds: short enough for a fast check, and long enough that a busy machine does not hide the fourth pause.
FIRST_PAUSE = 0.01


@dataclass(frozen=True)
class CallbackReply:
    """The response to an attempt, its text in the timeline, and what the receiver does before it responds."""

    answer: Reply
    description: str = ""
    before: Callable[[Request], None] = lambda _: None


TAKEN = CallbackReply(Reply(204))
BUSY = CallbackReply(Reply(503))
SLOW = CallbackReply(Reply(204, drips=0.02), "204, one byte at a time, without end")
CUT = CallbackReply(Reply(0), "connection closed without a response")


_WRITTEN_AGAIN = (
    "the task is changed again when its delivery is over.",
    "leave the task as it is: a delivery does not change its outcome.",
)


def bare(request: Request) -> str:
    """The path of a request, without its query."""
    return request.path.partition("?")[0]


class Delivery:
    """The callbacks for one task: their URL, the responses to the attempts, and the attempts that arrived."""

    def __init__(self, receiver: "Receiver", path: str, replies: Sequence[CallbackReply], port: int) -> None:
        self._receiver = receiver
        self._noted = 0
        self.path = path
        self.replies = replies
        self.url = f"http://127.0.0.1:{port}{path}"
        self.task = Task("", "", {})

    @property
    def attempts(self) -> list[Request]:
        """The callbacks so far, oldest first."""
        return self._receiver.matching(self.path)

    def reply(self, number: int) -> CallbackReply:
        """The reply to an attempt; the last reply repeats."""
        return self.replies[min(number, len(self.replies)) - 1]

    def attempt(self, number: int = 1, expected: str = "completed", later: float = 0) -> Request:
        """An attempt, which must arrive in time. Diagnoses a missing attempt."""
        within = self._receiver.app.time_limit + later
        self._receiver.wait(lambda: len(self.attempts) >= number, within)
        self.note(number)
        if len(self.attempts) < number:
            raise self._missing(number, expected, within)
        return self.attempts[number - 1]

    def must_leave(self, before: Json) -> None:
        """Diagnose a task that has changed since its delivery."""
        try:
            now = self._receiver.app.status(self.task)
        except WrongStatus as wrong:
            wrong.likely, wrong.next_step = _WRITTEN_AGAIN
            raise
        except Wrong as wrong:
            if wrong.code == "FORGOTTEN_TOO_SOON":
                wrong.likely = "the task is deleted when its delivery is over."
                wrong.next_step = "keep the task: a client that missed the callback still polls the status."
            raise
        if changed := [name for name in FIELDS if now.get(name) != before.get(name)]:
            was, is_ = before.get(changed[0]), now.get(changed[0])
            raise Wrong(
                "OUTCOME_CHANGED", f"its {changed[0]!r} was {was!r} before, and is now {is_!r}", *_WRITTEN_AGAIN
            )

    def note(self, most: int) -> None:
        """Add the attempts that have arrived to the timeline."""
        for number, request in list(enumerate(self.attempts, 1))[self._noted : most]:
            reply = self.reply(number)
            again = f" (attempt {number})" if number > 1 else ""
            answer = reply.description or str(reply.answer.status)
            self._receiver.app.timeline.note(f"{request.method} {self.path}{again} → {answer}", at=request.at)
            self._noted = number

    def _missing(self, number: int, expected: str, within: float) -> Wrong:
        app = self._receiver.app
        if ended := app.ended():
            return Wrong("CRASHED", ended)
        if self._receiver.matching(_ELSEWHERE):
            return Wrong("REDIRECT_FOLLOWED", f"{self._receiver.matching(_ELSEWHERE)[0].method} {_ELSEWHERE} → 200")
        if number > 1:
            return Wrong("CALLBACK_NOT_RETRIED", f"no further attempt within {within:g} s")
        app.until(self.task, expected)
        strange = [request for request in self._receiver.requests if bare(request) not in self._receiver.known]
        seen = f"only {strange[0].method} {strange[0].path} arrived" if strange else "no callback arrives"
        return Wrong("CALLBACK_NOT_SENT", seen)


class Receiver:
    """Receives the callbacks of one app, and has the secret. Leaving the block releases held responses."""

    def __init__(self, environment: CheckEnvironment) -> None:
        if environment.url:
            raise NotFromOutside("this check needs the webhook secret and the kit's agent")
        self._environment = environment
        self._deliveries: dict[str, Delivery] = {}
        self._released = threading.Event()
        self._servers = [ScriptedServer(self._answer)]
        self.secret = new_secret()
        #: No response until `release`, and then a 503.
        self.silent = CallbackReply(Reply(503), "no response", lambda _: self.hold())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()
        for server in self._servers:
            server.__exit__(kind, error, traceback)

    def serve(
        self,
        attempts: int = 9,
        first_pause: float = FIRST_PAUSE,
        timeout: float = 30,
        workers: int = 2,
        random_seed: str = "",
    ) -> App:
        """Start the learner's app, with settings for its callbacks."""
        self._environment.load([*HTTPX, *WEBHOOKS])
        self.app = self._environment.serve(
            WEBHOOK_SECRET=self.secret,
            ATTEMPTS=str(attempts),
            FIRST_PAUSE_SECONDS=str(first_pause),
            ATTEMPT_TIMEOUT_SECONDS=str(timeout),
            WORKERS=str(workers),
            TZ=TIME_ZONE,
            KIT_RANDOM_SEED=random_seed,
        )
        return self.app

    def listen(self, port: int) -> None:
        """Receive callbacks on another port too. Raises `OSError` if it is in use."""
        self._servers.append(ScriptedServer(self._answer, port))

    def submit(self, *replies: CallbackReply, port: int = 0) -> Delivery:
        """Submit a task with a callback; `replies` are the responses to its attempts."""
        path = f"/hooks/{chr(97 + len(self._deliveries))}"
        delivery = self._deliveries[path] = Delivery(self, path, replies, port or self._servers[0].port)
        prompt = f"{self.app.new_prompt()}, für 3 €"  # characters that JSON can encode in more than one way
        delivery.task = self.app.submit(prompt, callback_url=delivery.url)
        return delivery

    def complete(self, *replies: CallbackReply, port: int = 0) -> Delivery:
        """Submit a task with a callback, and let the agent finish it."""
        delivery = self.submit(*replies, port=port)
        self.app.finish(delivery.task, self.app.started(delivery.task))
        return delivery

    def release(self) -> None:
        """Send the held responses."""
        self._released.set()

    @property
    def requests(self) -> list[Request]:
        """All requests that arrived."""
        return [request for server in self._servers for request in list(server.requests)]

    @property
    def known(self) -> set[str]:
        """The paths of the deliveries."""
        return set(self._deliveries)

    def task_of(self, request: Request) -> Task:
        """The task of a callback; it has no id until submit has responded."""
        return self._deliveries[bare(request)].task

    def matching(self, path: str) -> list[Request]:
        """The requests to one path, oldest first."""
        return [request for request in self.requests if bare(request) == path]

    def wait(self, until: Callable[[], bool], within: float) -> None:
        """Wait for a condition, or until the learner's code has reached an open gap of the stub."""
        deadline = time.monotonic() + within
        looked = time.monotonic()
        while not until() and time.monotonic() < deadline:
            time.sleep(0.002)
            if time.monotonic() - looked > 0.1:
                looked = time.monotonic()
                raised = self.app.process and raised_in(self.app.process)
                if raised and raised.error.startswith("NotImplementedError"):
                    return

    def _answer(self, request: Request) -> Reply:
        delivery = self._deliveries.get(bare(request))
        if delivery is None:
            return Reply(200 if bare(request) == _ELSEWHERE else 404)
        number = next((n for n, attempt in enumerate(delivery.attempts, 1) if attempt is request), 1)
        reply = delivery.reply(number)
        reply.before(request)
        return reply.answer

    def hold(self) -> None:
        """Block until `release`."""
        self._released.wait()

    def held(self, reply: Reply, description: str = "") -> CallbackReply:
        """A response that is held until `release`."""
        return CallbackReply(reply, description, lambda _: self.hold())

    def elsewhere(self) -> CallbackReply:
        """A redirect to a receiver that would accept the callback."""
        target = f"{self._servers[0].url}{_ELSEWHERE}"
        return CallbackReply(Reply(307, None, {"Location": target}), f"307, Location: {_ELSEWHERE}")
