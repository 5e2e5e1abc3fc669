"""Checkpoint 6: a client that polls politely, retries after a brief failure, and gives up in time.

The check is the server. It only compares pauses with the shortest that is allowed, so that a slow machine makes no
client wrong. For random pauses, it takes enough of them to rule out chance.
"""

from functools import partial

import pytest

from tests.checkpoints.engine.actors.client_call import (
    FIRST_PAUSE,
    OFTEN,
    OFTEN_SECONDS,
    START_SECONDS,
    TIME_LIMIT_SECONDS,
    ClientCall,
    raised,
)
from tests.checkpoints.engine.actors.environment import CheckEnvironment
from tests.checkpoints.engine.actors.task_replies import ACCEPTED, BUSY, BUSY_FOR_LONG, COMPLETED, CUT, RUNNING, task
from tests.checkpoints.engine.diagnosis.failures import Inconclusive
from tests.checkpoints.engine.http.scripted_server import Reply
from tests.checkpoints.engine.processes.time_limits import load_factor
from tests.checkpoints.engine.scenarios.client_pauses import POLLS, begin_first, do_not_grow, pauses_of, spread

pytestmark = pytest.mark.concurrent

#: A busy machine makes every pause longer, the first ones most, because the clients have only just started. If that may
#: be why the pauses seem not to grow, or why they differ, they are made long enough to rule it out.
FIRST_PAUSES = (FIRST_PAUSE, 4 * FIRST_PAUSE, 4 * FIRST_PAUSE)
#: The last of these polls come long after the limit is reached: of 40,000 clients that apply the limit last, one passes
#: by luck. A busy machine makes every pause longer: if all seem to be as long as the limit, the limit is increased.
MANY_POLLS, AT_THE_LIMIT, LIMITS = 22, 12, (4 * FIRST_PAUSE, 10 * FIRST_PAUSE)
#: More attempts than any client's own limit.
LONG_AWAY = 20
#: Pauses that differ by less are the same, and pauses that differ by more are random; in between is undecided.
A_TENTH, A_QUARTER = 0.1, 0.25
#: A factor on the minimum for growing pauses: one delay of a busy machine is not growth.
ENOUGH = 2.5
#: Factors on the deadlines, if a busy machine may have left no time to reach the situation.
DEADLINES = (1, 4)


@pytest.mark.points(2)
def test_it_submits_and_polls_and_returns_the_result(environment: CheckEnvironment) -> None:
    """It submits the prompt, polls until the task is completed, and returns the result."""
    ClientCall(environment, [task("pending"), RUNNING, COMPLETED]).returns_the_result()


@pytest.mark.points(2)
def test_a_temporary_failure_is_retried(environment: CheckEnvironment) -> None:
    """It retries after a 503 and a broken connection, and creates only one task."""
    stories = [([BUSY, COMPLETED], [ACCEPTED]), ([CUT, COMPLETED], [ACCEPTED]), ([COMPLETED], [BUSY, ACCEPTED])]
    for client, (_, submits) in [(ClientCall(environment, *story), story) for story in stories]:
        outcome = client.outcome()
        if len(client.submits) > len(submits):
            raise client.wrong("SUBMITTED_TWICE")
        if outcome and "raised" in outcome and not client.strange():
            raise client.wrong_exception("GIVES_UP_TOO_SOON", raised(outcome))
        client.returns_the_result()


@pytest.mark.points(2)
@pytest.mark.concurrent(first=True)
def test_it_obeys_retry_after(environment: CheckEnvironment) -> None:
    """It waits for Retry-After after a submit, a poll and a 503."""
    second = 1
    start = partial(ClientCall, environment, longest_pause=second / 2)  # limits only the client's own pauses
    clients = [
        start(submits=[task("pending", second, 202)]),
        start([task("running", second), COMPLETED]),
        start(submits=[Reply(503, BUSY.body, {"Retry-After": str(second)}), ACCEPTED]),
    ]
    for number, client in enumerate(clients):
        client.outcome(second + TIME_LIMIT_SECONDS)
        requests = list(client.server.requests)
        which = 1 if number == 1 else 0  # the request whose response has a Retry-After
        if len(requests) > which + 1 and requests[which + 1].at - requests[which].at < 0.9 * second:
            seen = f"the response says Retry-After: {second}, but the next request comes earlier"
            raise client.wrong(
                "POLLS_TOO_OFTEN",
                seen,
                likely="Retry-After is not read from this response, or LONGEST_PAUSE limits it too.",
                next_step="wait for the number of seconds in Retry-After of the last response, however large it is.",
            )
        client.returns_the_result()


@pytest.mark.points(2)
def test_without_retry_after_the_pauses_grow_and_differ(environment: CheckEnvironment) -> None:
    """Without Retry-After, its pauses grow, and no two clients have the same pauses."""
    for first_pause in FIRST_PAUSES:
        clients = [ClientCall(environment, [RUNNING], first_pause=first_pause) for _ in range(6)]
        known = pauses_of(clients, START_SECONDS + 2**POLLS * first_pause)
        first, last = (sum(sum(pauses[part]) for pauses in known) for part in (slice(2), slice(-2, None)))
        least = 4 * first_pause * len(known)  # a third of the mean if the maximum were half as long
        if last < least:
            raise do_not_grow(clients)
        grow, spreads = last >= 2 * first, [spread(column) for column in list(zip(*known, strict=True))[-2:]]
        if grow and max(spreads) < A_TENTH:
            seen = f"{len(clients)} clients that started together had nearly the same pauses"
            raise clients[0].wrong("NO_JITTER", seen, few=True)
        if grow and last > ENOUGH * least and max(spreads) > A_QUARTER and min(spreads) > A_TENTH:
            return
        for client in clients:
            client.good()
    if not grow:
        raise do_not_grow(clients)


@pytest.mark.concurrent(first=True)
def test_the_pauses_have_an_upper_limit(environment: CheckEnvironment) -> None:
    """No pause is longer than LONGEST_PAUSE, and pauses up to that limit are random."""
    for longest_pause in LIMITS:
        client = ClientCall(environment, [*[RUNNING] * MANY_POLLS, COMPLETED], longest_pause=longest_pause)
        # Without a limit the pauses soon take minutes, so a busy machine may get more time.
        outcome = client.outcome((MANY_POLLS * longest_pause + 2 * TIME_LIMIT_SECONDS) * load_factor())
        if outcome is None and len(client.polls) <= MANY_POLLS:
            seen = f"it has polled fewer than {MANY_POLLS} times, but had more than enough time"
            raise client.wrong("PAUSES_TOO_LONG", seen, few=True)
        if outcome and "TimeoutError" in outcome.get("raised", []):
            raise client.wrong_exception(
                "GIVES_UP_TOO_SOON",
                f"long before its deadline, {raised(outcome)}",
                likely="it counts its polls, or has its own time limit besides the deadline.",
                next_step="keep polling until the deadline: `while True` inside `asyncio.timeout(deadline)`.",
                few=True,
            )
        client.returns_the_result()
        if sorted(client.pauses()[-AT_THE_LIMIT:])[1] < 0.9 * longest_pause:
            return
    raise client.wrong(
        "NO_JITTER",
        f"LONGEST_PAUSE_SECONDS is {longest_pause:g}: once its pauses reach that, none is shorter",
        likely="the limit is applied to the random pause, so every pause above it becomes exactly the limit.",
        next_step="apply the limit first, then choose a random pause: `random.uniform(0, min(LONGEST_PAUSE, …))`.",
        few=True,
    )


def test_it_keeps_trying_while_the_server_is_unavailable(environment: CheckEnvironment) -> None:
    """It keeps trying while the server is unavailable: only the deadline ends it."""
    client = ClientCall(environment, [*[BUSY] * LONG_AWAY, COMPLETED], longest_pause=FIRST_PAUSE)
    if (outcome := client.outcome(2 * TIME_LIMIT_SECONDS)) and "raised" in outcome:
        raise client.wrong_exception(
            "GIVES_UP_TOO_SOON",
            f"after {len(client.polls)} polls, long before its deadline, {raised(outcome)}",
            likely="it counts its attempts, and then raises, or reads the 503 as a task.",
            next_step="keep polling until the deadline: `while True` inside `asyncio.timeout(deadline)`.",
            few=True,
        )
    client.returns_the_result()


def test_a_4xx_is_raised_at_once(environment: CheckEnvironment) -> None:
    """It does not retry a 4xx: it raises HTTPStatusError at once."""
    refused = Reply(422, {"detail": "The prompt is too long."})
    for polls, submits in (([Reply(404, {"detail": "There is no such task."})], [ACCEPTED]), ([], [refused])):
        client = ClientCall(environment, polls or [COMPLETED], submits)
        outcome = client.outcome()
        if len(client.polls) > 1 or len(client.submits) > 1:
            raise client.wrong("RETRIES_CLIENT_ERRORS", "" if outcome else "submit_and_wait has not returned", few=True)
        client.raises("HTTPStatusError", "CLIENT_ERROR_NOT_TOLD", by_mistake=False)


def test_a_failed_task_raises_task_failed(environment: CheckEnvironment) -> None:
    """It raises TaskFailed if the task failed or was cancelled."""
    failed = task("failed", error={"code": "agent_error", "message": "the model refused"})
    often = 2 * FIRST_PAUSE
    ClientCall(environment, [RUNNING, failed], longest_pause=often).raises(
        "TaskFailed", "FAILURE_SWALLOWED", "the model refused"
    )
    ClientCall(environment, [task("cancelled")], longest_pause=often).raises("TaskFailed", "FAILURE_SWALLOWED")


@pytest.mark.points(2)
@pytest.mark.concurrent(first=True)
def test_it_gives_up_at_the_deadline(environment: CheckEnvironment) -> None:
    """It raises TimeoutError at its deadline, whatever it waits for: a task, a response, a long Retry-After."""
    start, often = partial(ClientCall, environment, deadline=0.4), 2 * FIRST_PAUSE
    stories = {
        "the task never finishes": partial(start, [RUNNING], longest_pause=often),
        "submit never responds": partial(start, hold="POST"),
        "status never responds": partial(start, hold="GET"),
        "Retry-After of the task exceeds the deadline": partial(start, [task("running", 60)]),
        "Retry-After of the 503 exceeds the deadline": partial(start, submits=[BUSY_FOR_LONG]),
        "the response arrives one byte at a time": partial(start, hold="GET", drips=True, deadline=0.8),
        "submit responds late": partial(start, [RUNNING], longest_pause=often, deadline=0.8, late=0.6),
    }
    while_away = {
        "every response is a 503": partial(start, [BUSY], deadline=OFTEN_SECONDS),
        "every connection is closed": partial(start, [CUT], deadline=OFTEN_SECONDS),
    }
    for longer in DEADLINES:
        clients = {what: start(longer=longer) for what, start in while_away.items()}
        # Starting others at the same time would make the first pauses as long as the later ones.
        begin_first(clients.values())
        clients |= {what: start(longer=longer) for what, start in stories.items()}
        for what in [*stories, *while_away]:
            _must_give_up(what, clients[what])
        # A client that had no time to reach its situation proves nothing.
        again = {what for what, client in clients.items() if not client.was_put_to_the_test()}
        if not again:
            return
        stories = {what: start for what, start in stories.items() if what in again}
        while_away = {what: start for what, start in while_away.items() if what in again}
    raise Inconclusive(f"“{min(again)}” could not be tested: this machine is too busy. Run the check again.")


def _must_give_up(what: str, client: ClientCall) -> None:
    outcome = client.outcome(client.deadline + TIME_LIMIT_SECONDS)
    if outcome is None:
        over = f"{what}, and the deadline of {client.deadline:g} s has long passed"
        raise client.wrong("NEVER_GIVES_UP", over, few=True, error=False)
    if "TimeoutError" not in outcome.get("raised", []):
        code = "GIVES_UP_TOO_SOON" if client.away else "DEADLINE_NOT_TOLD"
        raise client.wrong_exception(code, f"{what}: {raised(outcome)}", few=True)
    if client.away and len(client.polls) > OFTEN:
        raise client.wrong(
            "POLLS_TOO_OFTEN",
            f"{what}, and it keeps polling without a growing pause",
            likely="this path through the loop has no pause, or the pause does not double.",
            next_step="wait for `pause(…)` before the next attempt, after a 503 and after a broken connection.",
            few=True,
            error=False,
        )
    if client.late and client.polls_beyond_its_deadline():
        raise client.wrong(
            "NEVER_GIVES_UP",
            f"{what}, and it still polls after the deadline of {client.deadline:g} s",
            likely="the deadline starts again after the submit, so the caller may wait twice as long.",
            next_step="put one `async with asyncio.timeout(deadline)` around the submit and the polls together.",
            few=True,
            error=False,
        )
    if len(client.submits) > 1 and client.refused:
        raise client.wrong(
            "POLLS_TOO_OFTEN", f"{what}, but it sends another request before that", few=True, error=False
        )
    # Two situations show this. Report the one without a response: the other may have been too short at first.
    if len(client.submits) > 1 and not (client.late and client.longer == 1):
        raise client.wrong(
            "SUBMITTED_TWICE",
            what,
            likely="a timeout per request ends the submit, and it is sent again, though it may have been accepted.",
            next_step="allow a single request all the time until the deadline: pass `timeout=deadline` to the client.",
            error=False,
        )
    client.good()
