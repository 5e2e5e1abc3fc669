"""A call of a learner's polling client, and the server that it talks to: what that answers is decided beforehand."""

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
#: What works takes a fraction of these.
START_SECONDS, TIME_LIMIT_SECONDS = 4.0, 2.5
#: From one byte to the next: no limit for a single wait is as short.
DRIP_SECONDS = 0.02
#: A deadline that no check reaches.
LONG = 30.0
#: How many requests are shown.
FEW, MANY = 4, 8
#: With pauses that double, one client in a million gets to so many polls in so many seconds.
OFTEN, OFTEN_SECONDS = 12, 1.2
#: Who sends a submit again because it was not answered in time, must have had this part of that time.
_MOST_OF_IT = 0.6

#: Exceptions that a client does not raise on purpose.
_OWN_MISTAKES = {"AttributeError", "IndexError", "KeyError", "NameError", "TypeError", "UnboundLocalError"}


class ClientCall:
    """A call of the learner's function, and its server, which answers from two scripts, the last line for ever."""

    def __init__(
        self,
        environment: CheckEnvironment,
        polls: Sequence[Reply] = (COMPLETED,),
        submits: Sequence[Reply] = (ACCEPTED,),
        deadline: float = LONG,
        first_pause: float = FIRST_PAUSE,
        longest_pause: float = 10.0,
        hold: str = "",
        drips: bool = False,  # what is held comes a byte at a time, and never to its end
        late: float = 0,  # the seconds after which a submit is answered
        longer: int = 1,  # how many times longer everything takes
    ) -> None:
        self._environment = environment
        self._polls, self._submits, self.holds, self._drips = polls, submits, hold, drips
        self.away = polls[-1] in (BUSY, CUT)
        self.refused = submits[-1] is BUSY_FOR_LONG
        self.late, self.longer = late * longer, longer
        self._released = threading.Event()
        self._said: dict[int, str] = {}
        self.deadline = deadline * longer
        self.prompt = f"Compare vendor {unique_hex(4)}"
        self.server = environment.enter(ScriptedServer(self._answer))
        environment.at_end(self._released.set)  # the threads that hold an answer end with the environment
        self.call = environment.call(
            "client:submit_and_wait",
            {"base_url": self.server.url, "prompt": self.prompt, "deadline": self.deadline},
            FIRST_PAUSE_SECONDS=str(first_pause * longer),
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
        if request.method == self.holds and self._drips:
            self._said[id(request)] = "an answer that comes a byte at a time, without end"
            reply = Reply(200, drips=DRIP_SECONDS)
        elif request.method == self.holds:
            self._said[id(request)] = "accepted, and not answered"
            self._released.wait(LONG)
        else:
            self._said[id(request)] = in_words(reply)
            if self.late and request.method == "POST":
                self._said[id(request)] += f", after {self.late:g} s"
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
        """Whether it has polled twice since. Once is no proof: that may have been on its way."""
        begun = [submit.at for submit in self.submits[:1]]
        return bool(begun) and sum(poll.at > begun[0] + self.deadline for poll in self.polls) > 1

    def seconds_held(self) -> float:
        """From its first request to the end of the call, in seconds. 0 without a request, or before the end."""
        outcome = self.call.outcome(0)
        return outcome["at"] - self.server.requests[0].at if outcome and self.server.requests else 0

    def slows_down(self) -> bool:
        """Whether its last pauses are longer than its first ones."""
        pauses = self.pauses()
        return len(pauses) > 3 and sum(pauses[-2:]) > 2 * sum(pauses[:2])

    def was_put_to_the_test(self) -> bool:
        """Whether it gave up in the situation that was meant. Who polls without a pause polls often, or, where a busy
        machine makes the pauses, in such as do not grow."""
        if self.holds == "POST":
            return self.seconds_held() > _MOST_OF_IT * self.deadline
        if self.refused:
            return bool(self.submits)
        return bool(self.polls) and (not self.away or self.longer > 1 or self.slows_down())

    def outcome(self, within: float = TIME_LIMIT_SECONDS) -> dict[str, Any] | None:
        """What came of the call; None when it takes longer. Before that, its process has time to start."""
        started = time.monotonic() + START_SECONDS * load_factor()
        while not self.server.requests and time.monotonic() < started:
            if (outcome := self.call.outcome(0.01)) is not None:
                return outcome
        return self.call.outcome(within if self.server.requests else 0.01)

    def wrong(
        self, code: str, seen: str = "", likely: str = "", next_step: str = "", few: bool = False, error: bool = True
    ) -> Wrong:
        """The diagnosis, after the requests that led to it; a few of them, where they go on and on.

        Without `error` what the call raised is not shown: that was right.
        """
        requests = list(self.server.requests)
        self._environment.processes = [self.call.process] if error else []  # what other calls raised is not why
        called = min([self.began, *(request.at for request in requests[:1])])  # a quick child may have asked by then
        self._environment.timeline.note("submit_and_wait is called", at=called)
        for request in requests[: FEW if few else MANY]:
            while id(request) not in self._said:
                time.sleep(0.001)  # it has come this very moment
            self._environment.timeline.note(
                f"{request.method} {request.path} → {self._said[id(request)]}", at=request.at
            )
        if few and len(requests) > FEW:
            self._environment.timeline.note("… and so on", at=requests[FEW].at)
        return Wrong(code, seen, likely, next_step)

    def wrong_exception(self, code: str, seen: str, likely: str = "", next_step: str = "", few: bool = False) -> Wrong:
        """The diagnosis of a call that may raise, and raised something else: a mistake of its own says more."""
        outcome = self.call.outcome(0) or {}
        if _OWN_MISTAKES.intersection(outcome.get("raised", [])[:1]):
            return self.wrong("CLIENT_RAISES", seen, few=few)
        return self.wrong(code, seen, likely, next_step, few)

    def good(self) -> None:
        """This call was right. What it printed on the way is of no interest any more."""
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
            likely = 'another field is returned, or the whole task, where its "result" is due.'
            next_step = 'return the "result" of the task that is completed, as it is.'
            raise self.wrong("RESULT_WRONG", f"it returned {outcome.get('returned')!r}", likely, next_step)
        self.good()

    def _not_returned(self) -> Wrong:
        if not self.server.requests:
            return self.wrong(
                "NO_NEXT_REQUEST",
                "submit_and_wait has not returned, and no request has come",
                likely="each attempt fails before it is sent: the client has no `base_url`, or arguments are swapped. "
                "For httpx these are TransportErrors too, so they are tried again.",
                next_step="print the exception that you catch.",
            )
        if len(self.submits) > len(self._submits) and self._submits[-1] is ACCEPTED:
            return self.wrong(
                "SUBMITTED_TWICE",
                "submit_and_wait has not returned",
                likely="the loop goes round again after a 202, or the polls are sent to the submit's path.",
                next_step="return every answer from `ask` but a 503, and poll with GET /agent/status/{task_id}.",
                few=True,
            )
        if len(self.polls) > len(self._polls):
            return self.wrong("POLLS_ON", "submit_and_wait has not returned", few=True)
        if pauses := self.pauses():
            return self.wrong(
                "PAUSES_TOO_LONG",
                f"FIRST_PAUSE_SECONDS is {FIRST_PAUSE:g}, and a pause was {max(pauses):.1f} s",
                likely="the first pause is a number in the code, or it is doubled too often.",
                next_step="begin with FIRST_PAUSE, and double it with every attempt.",
            )
        return self.wrong("NO_NEXT_REQUEST", "submit_and_wait has not returned")

    def strange(self) -> bool:
        """Whether the client sent a request that the server does not know."""
        return any(said.startswith(("404", "422")) for said in list(self._said.values()))

    def raises(self, kind: str, code: str, text: str = "", *, by_mistake: bool = True) -> None:
        """Diagnose a call that does not raise this. `by_mistake`: a mistake of its own is diagnosed as one."""
        outcome = self.outcome()
        if outcome is None:
            raise self.wrong("POLLS_ON", "submit_and_wait has not returned", few=True)
        if kind not in outcome.get("raised", []):
            raise (self.wrong_exception if by_mistake else self.wrong)(code, raised(outcome))
        if text not in outcome["message"]:
            raise self.wrong(code, f"{raised(outcome)}, and that does not say: {text}")
        self.good()


def raised(outcome: dict[str, Any]) -> str:
    """An outcome in one line."""
    if "raised" not in outcome:
        return f"submit_and_wait returned {outcome.get('returned')!r}"
    message = str(outcome.get("message") or "").splitlines()
    return f"submit_and_wait raised {outcome['raised'][0]}" + (f": {message[0]}" if message else "")
