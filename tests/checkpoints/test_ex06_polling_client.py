"""Checkpoint 6: a client that waits for an outcome politely, gets over a moment's failure, and gives up in time.

The check plays the server. A pause is only ever compared with the shortest that is allowed, so that no slow
machine makes a client wrong; where pauses are random, as many are put together as make chance no excuse.
"""

import itertools
import secrets
import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest

from tests.checkpoints.peer import Peer, Reply, Request
from tests.checkpoints.stage import Stage
from tests.checkpoints.verdict import Wrong

TASK_ID = "7f3a"
RESULT = "Vendor B is cheaper."
FIRST_PAUSE = 0.02
#: What works takes a fraction of these.
START_SECONDS, PATIENCE_SECONDS = 4.0, 2.5
#: A caller's deadline that no check reaches.
LONG = 30.0
#: How many requests are shown.
FEW, MANY = 4, 8
#: With pauses that double, even the luckiest client needs longer than the shortest deadline for so many polls.
OFTEN = 10

BUSY = Reply(503, {"detail": "The queue is full."})
CUT = Reply(0)


def task(status: str, retry_after: int | None = None, code: int = 200, **more: object) -> Reply:
    """An answer that tells the task."""
    body = {"task_id": TASK_ID, "status": status, "progress": 0, "result": None, "error": None, **more}
    return Reply(code, body, {} if retry_after is None else {"Retry-After": str(retry_after)})


ACCEPTED = task("pending", code=202)
RUNNING = task("running")
COMPLETED = task("completed", result=RESULT)


class Client:
    """A call of the learner's function, and its server, which answers from two scripts, the last line for ever."""

    def __init__(
        self,
        stage: Stage,
        polls: Sequence[Reply] = (COMPLETED,),
        submits: Sequence[Reply] = (ACCEPTED,),
        deadline: float = LONG,
        longest_pause: float = 10.0,
        hold: str = "",
    ) -> None:
        self._stage = stage
        self._polls, self._submits, self._hold = polls, submits, hold
        self.away = polls[-1] in (BUSY, CUT)
        self._released = threading.Event()
        self._said: dict[int, str] = {}
        self.prompt = f"Compare vendor {secrets.token_hex(2)}"
        self.peer = Peer(self._answer)
        self.call = stage.call(
            "client:submit_and_wait",
            {"base_url": self.peer.url, "prompt": self.prompt, "deadline": deadline},
            FIRST_PAUSE_SECONDS=str(FIRST_PAUSE),
            LONGEST_PAUSE_SECONDS=str(longest_pause),
        )
        self.began = time.monotonic()

    def _answer(self, request: Request) -> Reply:
        told, reply = request.path.partition("?")[0], Reply(404, {"detail": "There is nothing here."})
        if request.method == "POST" and told == "/agent/submit":
            reply = self._submits[min(len(self.submits), len(self._submits)) - 1]
            body = request.json
            if not isinstance(body, dict) or body.get("prompt") != self.prompt:
                reply = Reply(422, {"detail": "The body has no prompt, or another one."})
        elif request.method == "GET" and told == f"/agent/status/{TASK_ID}":
            reply = self._polls[min(len(self.polls), len(self._polls)) - 1]
        if request.method == self._hold:
            self._said[id(request)] = "accepted, and not answered"
            self._released.wait(LONG)
        else:
            self._said[id(request)] = _told(reply)
        return reply

    @property
    def submits(self) -> list[Request]:
        """The submits so far."""
        return self.peer.matching(lambda request: request.method == "POST")

    @property
    def polls(self) -> list[Request]:
        """The status requests so far."""
        return self.peer.matching(lambda request: request.method == "GET")

    def pauses(self) -> list[float]:
        """The seconds between one status request and the next."""
        times = [request.at for request in self.polls]
        return [later - earlier for earlier, later in itertools.pairwise(times)]

    def outcome(self, within: float = PATIENCE_SECONDS) -> dict[str, Any] | None:
        """What came of the call; None when it takes longer. Before that, its process has time to start."""
        started = time.monotonic() + START_SECONDS
        while not self.peer.requests and time.monotonic() < started:
            if (outcome := self.call.outcome(0.01)) is not None:
                return outcome
        return self.call.outcome(within if self.peer.requests else 0.01)

    def wrong(self, code: str, seen: str = "", likely: str = "", next_step: str = "", few: bool = False) -> Wrong:
        """The diagnosis, after the requests that led to it; a few of them, where they go on and on."""
        requests = list(self.peer.requests)
        self._stage.timeline.note("submit_and_wait is called", at=self.began)
        for request in requests[: FEW if few else MANY]:
            while id(request) not in self._said:
                time.sleep(0.001)  # it has come this very moment
            self._stage.timeline.note(f"{request.method} {request.path} → {self._said[id(request)]}", at=request.at)
        if few and len(requests) > FEW:
            self._stage.timeline.note("… and so on", at=requests[FEW].at)
        return Wrong(code, seen, likely, next_step)

    def good(self) -> None:
        """This call was right. What it printed on the way is of no interest any more."""
        self._released.set()
        self._stage.processes.remove(self.call.process)

    def returns_the_result(self) -> None:
        """Diagnose a call that does not."""
        outcome = self.outcome()
        if outcome is None:
            code = "POLLS_ON" if len(self.polls) > len(self._polls) else "NO_NEXT_REQUEST"
            raise self.wrong(code, "submit_and_wait has not returned", few=True)
        if "raised" in outcome:
            raise self.wrong("WRONG_REQUEST" if self.strange() else "CLIENT_RAISES", raised(outcome))
        if outcome.get("returned") != RESULT:
            likely = 'another field is returned, or the whole task, where its "result" is due.'
            next_step = 'return the "result" of the task that is completed, as it is.'
            raise self.wrong("RESULT_WRONG", f"it returned {outcome.get('returned')!r}", likely, next_step)
        self.good()

    def strange(self) -> bool:
        """Whether the client sent a request that the server does not know."""
        return any(said.startswith(("404", "422")) for said in list(self._said.values()))

    def raises(self, kind: str, code: str, text: str = "") -> None:
        """Diagnose a call that does not raise this."""
        outcome = self.outcome()
        if outcome is None:
            raise self.wrong("POLLS_ON", "submit_and_wait has not returned", few=True)
        if kind not in outcome.get("raised", []):
            raise self.wrong(code, raised(outcome))
        if text not in outcome["message"]:
            raise self.wrong(code, f"{raised(outcome)}, and that does not say: {text}")
        self.good()


def raised(outcome: dict[str, Any]) -> str:
    """An outcome in one line."""
    if "raised" not in outcome:
        return f"submit_and_wait returned {outcome.get('returned')!r}"
    message = str(outcome.get("message") or "").splitlines()
    return f"submit_and_wait raised {outcome['raised'][0]}" + (f": {message[0]}" if message else "")


def _told(reply: Reply) -> str:
    if reply.status == 0:
        return "the connection is cut"
    after = "".join(f", {name}: {value}" for name, value in reply.headers.items())
    body: dict[str, Any] = reply.body if isinstance(reply.body, dict) else {}
    return f"{reply.status} {body.get('status') or body.get('detail')}{after}"


@pytest.mark.points(2)
def test_it_submits_and_polls_and_returns_the_result(stage: Stage) -> None:
    """It submits the prompt, polls until the task is completed, and returns the result."""
    Client(stage, [task("pending"), RUNNING, COMPLETED]).returns_the_result()


@pytest.mark.points(2)
def test_a_moments_failure_is_retried(stage: Stage) -> None:
    """A 503 and a cut connection are tried again, and only one task is made."""
    for polls, submits in (([BUSY, COMPLETED], [ACCEPTED]), ([CUT, COMPLETED], [ACCEPTED]), ([], [BUSY, ACCEPTED])):
        client = Client(stage, polls or [COMPLETED], submits)
        outcome = client.outcome()
        if len(client.submits) > len(submits):
            raise client.wrong("SUBMITTED_TWICE")
        if outcome and "raised" in outcome and not client.strange():
            raise client.wrong("GIVES_UP_TOO_SOON", raised(outcome))
        client.returns_the_result()


@pytest.mark.points(2)
def test_it_obeys_retry_after(stage: Stage) -> None:
    """It does not ask again before Retry-After has passed: after a submit, a poll, a 503."""
    second = 1
    clients = [
        Client(stage, submits=[task("pending", second, 202)]),
        Client(stage, [task("running", second), COMPLETED]),
        Client(stage, submits=[Reply(503, BUSY.body, {"Retry-After": str(second)}), ACCEPTED]),
    ]
    for number, client in enumerate(clients):
        client.outcome(second + PATIENCE_SECONDS)
        requests = list(client.peer.requests)
        which = 1 if number == 1 else 0  # the request whose answer has a Retry-After
        if len(requests) > which + 1 and requests[which + 1].at - requests[which].at < 0.9 * second:
            seen = f"the answer says Retry-After: {second}, and the next request comes before that"
            raise client.wrong("POLLS_TOO_OFTEN", seen)
        client.returns_the_result()


@pytest.mark.points(2)
def test_without_retry_after_the_pauses_grow_and_differ(stage: Stage) -> None:
    """Without Retry-After its pauses grow, and no two clients have the same."""
    clients = [Client(stage, [RUNNING]) for _ in range(6)]
    wanted = 7
    end = time.monotonic() + START_SECONDS
    for client in clients:
        while len(client.polls) < wanted and time.monotonic() < end:
            if outcome := client.outcome(0.01):
                raise client.wrong("WRONG_REQUEST" if client.strange() else "CLIENT_RAISES", raised(outcome))
    pauses = [client.pauses()[: wanted - 1] for client in clients]
    known = [one for one in pauses if len(one) == wanted - 1]
    if len(known) < len(clients) / 2:
        slow = min(clients, key=lambda client: len(client.polls))
        raise slow.wrong("NO_NEXT_REQUEST", f"it should have asked {wanted} times long ago")
    half = (wanted - 1) // 2
    if sum(sum(one[half:]) for one in known) < 2 * sum(sum(one[:half]) for one in known):
        raise clients[0].wrong(
            "POLLS_TOO_OFTEN",
            f"{len(clients)} clients did the same: their pauses do not grow",
            likely="every pause is as long as the first one.",
            next_step="double the longest possible pause with every attempt: FIRST_PAUSE * 2**attempt.",
        )
    if all(max(column) - min(column) < max(column) / 10 for column in list(zip(*known, strict=True))[half:]):
        seen = f"{len(clients)} clients that began together had the same pauses"
        raise clients[0].wrong("NO_JITTER", seen)


def test_the_pauses_have_an_upper_limit(stage: Stage) -> None:
    """However long it takes, no pause is longer than LONGEST_PAUSE."""
    polls = 12  # without a limit, the twelfth pause would be half a minute
    client = Client(stage, [*[RUNNING] * polls, COMPLETED], longest_pause=2 * FIRST_PAUSE)
    if client.outcome(2 * PATIENCE_SECONDS) is None and len(client.polls) <= polls:
        seen = f"it has polled fewer than {polls} times, where a fraction of the time is enough"
        raise client.wrong("PAUSES_TOO_LONG", seen, few=True)
    client.returns_the_result()


def test_a_clients_error_is_raised_at_once(stage: Stage) -> None:
    """A 4xx is not tried again: HTTPStatusError is raised at once."""
    refused = Reply(422, {"detail": "The prompt is too long."})
    for polls, submits in (([Reply(404, {"detail": "There is no such task."})], [ACCEPTED]), ([], [refused])):
        client = Client(stage, polls or [COMPLETED], submits)
        outcome = client.outcome()
        if len(client.polls) > 1 or len(client.submits) > 1:
            raise client.wrong("RETRIES_CLIENT_ERRORS", "" if outcome else "submit_and_wait has not returned", few=True)
        client.raises("HTTPStatusError", "CLIENT_ERROR_NOT_TOLD")


def test_a_failed_task_is_raised(stage: Stage) -> None:
    """A task that failed, or was cancelled, is raised as TaskFailed."""
    failed = task("failed", error={"code": "agent_error", "message": "the model refused"})
    often = 2 * FIRST_PAUSE
    Client(stage, [RUNNING, failed], longest_pause=often).raises("TaskFailed", "FAILURE_SWALLOWED", "the model refused")
    Client(stage, [task("cancelled")], longest_pause=often).raises("TaskFailed", "FAILURE_SWALLOWED")


@pytest.mark.points(2)
def test_it_gives_up_at_the_deadline(stage: Stage) -> None:
    """It raises TimeoutError at its deadline, whatever it waits for: a task, an answer, a long Retry-After."""
    deadline = 0.4
    clients = {
        "the task never finishes": Client(stage, [RUNNING], deadline=deadline, longest_pause=2 * FIRST_PAUSE),
        "the submit is never answered": Client(stage, hold="POST", deadline=deadline),
        "the poll is never answered": Client(stage, hold="GET", deadline=deadline),
        "Retry-After is longer than the deadline": Client(stage, [task("running", 60)], deadline=deadline),
        "every answer is a 503": Client(stage, [BUSY], deadline=deadline),
        "every connection is cut": Client(stage, [CUT], deadline=deadline),
    }
    for what, client in clients.items():
        outcome = client.outcome(deadline + PATIENCE_SECONDS)
        if outcome is None:
            raise client.wrong("NEVER_GIVES_UP", f"{what}, and the deadline of {deadline:g} s is long over", few=True)
        if "TimeoutError" not in outcome.get("raised", []):
            code = "GIVES_UP_TOO_SOON" if client.away else "DEADLINE_NOT_TOLD"
            raise client.wrong(code, f"{what}: {raised(outcome)}", few=True)
        if client.away and len(client.polls) > OFTEN:
            raise client.wrong(
                "POLLS_TOO_OFTEN",
                f"{what}, and the next request comes at once",
                likely="there is no pause on this way round the loop.",
                next_step="after a 503 and after a broken connection, wait for `pause(…)` before the next attempt.",
                few=True,
            )
        client.good()
