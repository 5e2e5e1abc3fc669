"""A call of a learner's polling client, and the server that it talks to, whose responses are scripted."""

import itertools
import threading
import time
from collections.abc import Sequence
from typing import Any

from tests.checkpoints.engine.actors.environment import CheckEnvironment
from tests.checkpoints.engine.actors.task_replies import (
    ACCEPTED,
    BUSY,
    BUSY_FOR_LONG,
    COMPLETED,
    CUT,
    RESULT,
    TASK_ID,
    in_words,
)
from tests.checkpoints.engine.actors.unique import unique_hex
from tests.checkpoints.engine.diagnosis.failures import Wrong
from tests.checkpoints.engine.http.scripted_server import Reply, Request, ScriptedServer
from tests.checkpoints.engine.processes.time_limits import load_factor

FIRST_PAUSE = 0.02
#: A correct client takes a fraction of these.
START_SECONDS, TIME_LIMIT_SECONDS = 4.0, 2.5
#: From one byte to the next: shorter than any timeout for a single read.
DRIP_SECONDS = 0.02
#: A deadline that no check reaches.
LONG = 30.0
#: How many requests the timeline shows.
FEW, MANY = 4, 8
#: With doubling pauses, one client in a million makes this many polls in this many seconds.
OFTEN, OFTEN_SECONDS = 12, 1.2
#: A client that resends a submit after a timeout must have waited for this part of its deadline.
_MOST_OF_IT = 0.6

#: Exceptions that a client does not raise on purpose.
_OWN_MISTAKES = {"AttributeError", "IndexError", "KeyError", "NameError", "TypeError", "UnboundLocalError"}


class ClientCall:
    """A call of the learner's function, and its server, which responds from two scripts and repeats the last reply."""

    def __init__(
        self,
        environment: CheckEnvironment,
        polls: Sequence[Reply] = (COMPLETED,),
        submits: Sequence[Reply] = (ACCEPTED,),
        deadline: float = LONG,
        first_pause: float = FIRST_PAUSE,
        longest_pause: float = 10.0,
        hold: str = "",
        drips: bool = False,  # the held response arrives one byte at a time, without end
        late: float = 0,  # the seconds before the response to a submit
        longer: int = 1,  # a factor for all times
    ) -> None:
        self._environment = environment
        self._polls, self._submits, self.holds, self._drips = polls, submits, hold, drips
        self.away = polls[-1] in (BUSY, CUT)
        self.refused = submits[-1] is BUSY_FOR_LONG
        self.late, self.longer = late * longer, longer
        self._released = threading.Event()
        self._sent: dict[int, str] = {}  # the reply to each request, in words
        self.deadline = deadline * longer
        self.prompt = f"Compare vendor {unique_hex(4)}"
        self.server = environment.enter(ScriptedServer(self._answer))
        environment.at_end(self._released.set)  # the threads that hold a response end with the environment
        self.call = environment.call(
            "client:submit_and_wait",
            {"base_url": self.server.url, "prompt": self.prompt, "deadline": self.deadline},
            FIRST_PAUSE_SECONDS=str(first_pause * longer),
            LONGEST_PAUSE_SECONDS=str(longest_pause),
        )
        self.began = time.monotonic()

    def _answer(self, request: Request) -> Reply:
        path, reply = request.path.partition("?")[0], Reply(404, {"detail": "There is nothing here."})
        if request.method == "POST" and path == "/agent/submit":
            reply = self._submits[min(len(self.submits), len(self._submits)) - 1]
            body = request.json
            if not isinstance(body, dict) or body.get("prompt") != self.prompt:
                reply = Reply(422, {"detail": "The body lacks the prompt, or has a different prompt."})
        elif request.method == "GET" and path == f"/agent/status/{TASK_ID}":
            reply = self._polls[min(len(self.polls), len(self._polls)) - 1]
        if request.method == self.holds and self._drips:
            self._sent[id(request)] = "a response that arrives one byte at a time, without end"
            reply = Reply(200, drips=DRIP_SECONDS)
        elif request.method == self.holds:
            self._sent[id(request)] = "accepted, but no response"
            self._released.wait(LONG)
        else:
            self._sent[id(request)] = in_words(reply)
            if self.late and request.method == "POST":
                self._sent[id(request)] += f", after {self.late:g} s"
                self._released.wait(self.late)
        return reply

    @property
    def submits(self) -> list[Request]:
        """The submits so far."""
        return self.server.matching(lambda request: request.method == "POST")

    @property
    def polls(self) -> list[Request]:
        """The status requests so far."""
        return self.server.matching(lambda request: request.method == "GET")

    def pauses(self) -> list[float]:
        """The seconds between one status request and the next."""
        times = [request.at for request in self.polls]
        return [later - earlier for earlier, later in itertools.pairwise(times)]

    def polls_beyond_its_deadline(self) -> bool:
        """Whether it has polled twice since then. A single poll may have been sent before."""
        started = [submit.at for submit in self.submits[:1]]
        return bool(started) and sum(poll.at > started[0] + self.deadline for poll in self.polls) > 1

    def seconds_held(self) -> float:
        """From its first request to the end of the call, in seconds. 0 without a request, or before the end."""
        outcome = self.call.outcome(0)
        return outcome["at"] - self.server.requests[0].at if outcome and self.server.requests else 0

    def slows_down(self) -> bool:
        """Whether its last pauses are longer than its first ones."""
        pauses = self.pauses()
        return len(pauses) > 3 and sum(pauses[-2:]) > 2 * sum(pauses[:2])

    def was_put_to_the_test(self) -> bool:
        """Whether it gave up in the situation that the check is about. A client without pauses polls often, or, if a
        busy machine delays it, with pauses that do not grow."""
        if self.holds == "POST":
            return self.seconds_held() > _MOST_OF_IT * self.deadline
        if self.refused:
            return bool(self.submits)
        return bool(self.polls) and (not self.away or self.longer > 1 or self.slows_down())

    def outcome(self, within: float = TIME_LIMIT_SECONDS) -> dict[str, Any] | None:
        """The outcome of the call; None if it takes longer. The process gets extra time to start."""
        started = time.monotonic() + START_SECONDS * load_factor()
        while not self.server.requests and time.monotonic() < started:
            if (outcome := self.call.outcome(0.01)) is not None:
                return outcome
        return self.call.outcome(within if self.server.requests else 0.01)

    def wrong(
        self, code: str, seen: str = "", likely: str = "", next_step: str = "", few: bool = False, error: bool = True
    ) -> Wrong:
        """The diagnosis, with the requests that led to it in the timeline, or only a `few` if there are many.

        Without `error`, what the call raised is not shown, because that was right.
        """
        requests = list(self.server.requests)
        self._environment.processes = [self.call.process] if error else []  # other calls are not the cause
        called = min(
            [self.began, *(request.at for request in requests[:1])]
        )  # a fast child may have sent a request by then
        self._environment.timeline.note("submit_and_wait is called", at=called)
        for request in requests[: FEW if few else MANY]:
            while id(request) not in self._sent:
                time.sleep(0.001)  # it has only just arrived
            self._environment.timeline.note(
                f"{request.method} {request.path} → {self._sent[id(request)]}", at=request.at
            )
        if few and len(requests) > FEW:
            self._environment.timeline.note("… and so on", at=requests[FEW].at)
        return Wrong(code, seen, likely, next_step)

    def wrong_exception(self, code: str, seen: str, likely: str = "", next_step: str = "", few: bool = False) -> Wrong:
        """The diagnosis of a call that raised the wrong exception: a programming error says more."""
        outcome = self.call.outcome(0) or {}
        if _OWN_MISTAKES.intersection(outcome.get("raised", [])[:1]):
            return self.wrong("CLIENT_RAISES", seen, few=few)
        return self.wrong(code, seen, likely, next_step, few)

    def good(self) -> None:
        """This call was right: ignore what it printed."""
        self._released.set()
        self._environment.processes.remove(self.call.process)

    def returns_the_result(self) -> None:
        """Diagnose a call that does not."""
        outcome = self.outcome()
        if outcome is None:
            raise self._not_returned()
        if "raised" in outcome:
            raise self.wrong("WRONG_REQUEST" if self.strange() else "CLIENT_RAISES", raised(outcome))
        if outcome.get("returned") != RESULT:
            likely = 'it returns another field, or the whole task, instead of its "result".'
            next_step = 'return the "result" of the completed task, unchanged.'
            raise self.wrong("RESULT_WRONG", f"it returned {outcome.get('returned')!r}", likely, next_step)
        self.good()

    def _not_returned(self) -> Wrong:
        if not self.server.requests:
            return self.wrong(
                "NO_NEXT_REQUEST",
                "submit_and_wait has not returned, and no request has arrived",
                likely="each attempt fails before it is sent: the client has no `base_url`, or arguments are swapped. "
                "httpx raises a TransportError for that too, so it is retried.",
                next_step="print the exception that you catch.",
            )
        if len(self.submits) > len(self._submits) and self._submits[-1] is ACCEPTED:
            return self.wrong(
                "SUBMITTED_TWICE",
                "submit_and_wait has not returned",
                likely="the loop continues after a 202, or the polls are sent to the path of submit.",
                next_step="return every response except a 503 from `ask`, and poll with GET /agent/status/{task_id}.",
                few=True,
            )
        if len(self.polls) > len(self._polls):
            return self.wrong("POLLS_ON", "submit_and_wait has not returned", few=True)
        if pauses := self.pauses():
            return self.wrong(
                "PAUSES_TOO_LONG",
                f"FIRST_PAUSE_SECONDS is {FIRST_PAUSE:g}, but a pause was {max(pauses):.1f} s",
                likely="the first pause is hard-coded, or it is doubled too often.",
                next_step="start with FIRST_PAUSE, and double it with every attempt.",
            )
        return self.wrong("NO_NEXT_REQUEST", "submit_and_wait has not returned")

    def strange(self) -> bool:
        """Whether the client sent a request that the server does not know."""
        return any(reply.startswith(("404", "422")) for reply in list(self._sent.values()))

    def raises(self, kind: str, code: str, text: str = "", *, by_mistake: bool = True) -> None:
        """Diagnose a call that does not raise this. `by_mistake`: a programming error is diagnosed as such."""
        outcome = self.outcome()
        if outcome is None:
            raise self.wrong("POLLS_ON", "submit_and_wait has not returned", few=True)
        if kind not in outcome.get("raised", []):
            raise (self.wrong_exception if by_mistake else self.wrong)(code, raised(outcome))
        if text not in outcome["message"]:
            raise self.wrong(code, f"{raised(outcome)}, without the text: {text}")
        self.good()


def raised(outcome: dict[str, Any]) -> str:
    """An outcome in one line."""
    if "raised" not in outcome:
        return f"submit_and_wait returned {outcome.get('returned')!r}"
    message = str(outcome.get("message") or "").splitlines()
    return f"submit_and_wait raised {outcome['raised'][0]}" + (f": {message[0]}" if message else "")
