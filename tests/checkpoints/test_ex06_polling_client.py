"""Checkpoint 6: a client that waits for an outcome politely, gets over a moment's failure, and gives up in time.

The check plays the server. A pause is only ever compared with the shortest that is allowed, so that no slow
machine makes a client wrong; where pauses are random, as many are put together as make chance no excuse.
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

#: A busy machine makes every pause longer, and the first ones most, as the clients have only just started. Where they
#: seem not to grow for that reason, or differ by what may be chance, they are made so long that it cannot be.
FIRST_PAUSES = (FIRST_PAUSE, 4 * FIRST_PAUSE, 4 * FIRST_PAUSE)
#: Of so many polls the last ones are made when the limit is long reached: of 40,000 clients that put it last one is
#: lucky. A busy machine adds to every pause: where all seem to be as long as the limit, the limit is made longer.
MANY_POLLS, AT_THE_LIMIT, LIMITS = 22, 12, (4 * FIRST_PAUSE, 10 * FIRST_PAUSE)
#: More attempts than anybody would count to.
LONG_AWAY = 20
#: Pauses that differ by less are the same; that differ by more are meant to; in between nobody knows.
A_TENTH, A_QUARTER = 0.1, 0.25
#: So many times the least that grown pauses come to: one moment in which the machine was busy is no growth.
ENOUGH = 2.5
#: How much longer the deadlines are made, where a busy machine may be why there was no time for anything else.
DEADLINES = (1, 4)


@pytest.mark.points(2)
def test_it_submits_and_polls_and_returns_the_result(environment: CheckEnvironment) -> None:
    """It submits the prompt, polls until the task is completed, and returns the result."""
    ClientCall(environment, [task("pending"), RUNNING, COMPLETED]).returns_the_result()


@pytest.mark.points(2)
def test_a_moments_failure_is_retried(environment: CheckEnvironment) -> None:
    """A 503 and a cut connection are tried again, and only one task is made."""
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
    """It does not ask again before Retry-After has passed: after a submit, a poll, a 503."""
    second = 1
    start = partial(
        ClientCall, environment, longest_pause=second / 2
    )  # which limits the client's own pauses, and no others
    clients = [
        start(submits=[task("pending", second, 202)]),
        start([task("running", second), COMPLETED]),
        start(submits=[Reply(503, BUSY.body, {"Retry-After": str(second)}), ACCEPTED]),
    ]
    for number, client in enumerate(clients):
        client.outcome(second + TIME_LIMIT_SECONDS)
        requests = list(client.server.requests)
        which = 1 if number == 1 else 0  # the request whose answer has a Retry-After
        if len(requests) > which + 1 and requests[which + 1].at - requests[which].at < 0.9 * second:
            seen = f"the answer says Retry-After: {second}, and the next request comes before that"
            raise client.wrong(
                "POLLS_TOO_OFTEN",
                seen,
                likely="Retry-After is not read after this answer, or LONGEST_PAUSE limits it too.",
                next_step="wait for as many seconds as the last answer's Retry-After says, however many they are.",
            )
        client.returns_the_result()


@pytest.mark.points(2)
def test_without_retry_after_the_pauses_grow_and_differ(environment: CheckEnvironment) -> None:
    """Without Retry-After its pauses grow, and no two clients have the same."""
    for first_pause in FIRST_PAUSES:
        clients = [ClientCall(environment, [RUNNING], first_pause=first_pause) for _ in range(6)]
        known = pauses_of(clients, START_SECONDS + 2**POLLS * first_pause)
        first, last = (sum(sum(one[part]) for one in known) for part in (slice(2), slice(-2, None)))
        least = 4 * first_pause * len(known)  # a third of their mean, were each limit only half as long
        if last < least:
            raise do_not_grow(clients)
        grow, spreads = last >= 2 * first, [spread(column) for column in list(zip(*known, strict=True))[-2:]]
        if grow and max(spreads) < A_TENTH:
            seen = f"{len(clients)} clients that began together had the same pauses, or nearly so"
            raise clients[0].wrong("NO_JITTER", seen, few=True)
        if grow and last > ENOUGH * least and max(spreads) > A_QUARTER and min(spreads) > A_TENTH:
            return
        for client in clients:
            client.good()  # so far
    if not grow:
        raise do_not_grow(clients)


@pytest.mark.concurrent(first=True)
def test_the_pauses_have_an_upper_limit(environment: CheckEnvironment) -> None:
    """However long it takes, no pause is longer than LONGEST_PAUSE, and up to that they are random."""
    for longest_pause in LIMITS:
        client = ClientCall(environment, [*[RUNNING] * MANY_POLLS, COMPLETED], longest_pause=longest_pause)
        # Without a limit the pauses soon take minutes, so a crowded machine may have more time.
        outcome = client.outcome((MANY_POLLS * longest_pause + 2 * TIME_LIMIT_SECONDS) * load_factor())
        if outcome is None and len(client.polls) <= MANY_POLLS:
            seen = f"it has polled fewer than {MANY_POLLS} times, where a fraction of the time is enough"
            raise client.wrong("PAUSES_TOO_LONG", seen, few=True)
        if outcome and "TimeoutError" in outcome.get("raised", []):
            raise client.wrong_exception(
                "GIVES_UP_TOO_SOON",
                f"{raised(outcome)}, and its deadline is far away",
                likely="it counts its polls, or has a limit of its own beside the caller's.",
                next_step="go on for as long as the caller has said: `while True`, inside `asyncio.timeout(deadline)`.",
                few=True,
            )
        client.returns_the_result()
        if sorted(client.pauses()[-AT_THE_LIMIT:])[1] < 0.9 * longest_pause:
            return
    raise client.wrong(
        "NO_JITTER",
        f"LONGEST_PAUSE_SECONDS is {longest_pause:g}: once its pauses have come to that, none is shorter",
        likely="the limit is put on the random time: whatever is above it becomes the limit itself.",
        next_step="make the limit first, then a random time up to it: `random.uniform(0, min(LONGEST_PAUSE, …))`.",
        few=True,
    )


def test_it_goes_on_while_the_server_is_long_away(environment: CheckEnvironment) -> None:
    """However often the server is away, it goes on: only the deadline ends it."""
    client = ClientCall(environment, [*[BUSY] * LONG_AWAY, COMPLETED], longest_pause=FIRST_PAUSE)
    if (outcome := client.outcome(2 * TIME_LIMIT_SECONDS)) and "raised" in outcome:
        raise client.wrong_exception(
            "GIVES_UP_TOO_SOON",
            f"after {len(client.polls)} polls {raised(outcome)}, and its deadline is far away",
            likely="it counts its attempts, and after so many of them it raises, or takes the 503 for a task.",
            next_step="go on for as long as the caller has said: `while True`, inside `asyncio.timeout(deadline)`.",
            few=True,
        )
    client.returns_the_result()


def test_a_clients_error_is_raised_at_once(environment: CheckEnvironment) -> None:
    """A 4xx is not tried again: HTTPStatusError is raised at once."""
    refused = Reply(422, {"detail": "The prompt is too long."})
    for polls, submits in (([Reply(404, {"detail": "There is no such task."})], [ACCEPTED]), ([], [refused])):
        client = ClientCall(environment, polls or [COMPLETED], submits)
        outcome = client.outcome()
        if len(client.polls) > 1 or len(client.submits) > 1:
            raise client.wrong("RETRIES_CLIENT_ERRORS", "" if outcome else "submit_and_wait has not returned", few=True)
        client.raises("HTTPStatusError", "CLIENT_ERROR_NOT_TOLD", by_mistake=False)


def test_a_failed_task_is_raised(environment: CheckEnvironment) -> None:
    """A task that failed, or was cancelled, is raised as TaskFailed."""
    failed = task("failed", error={"code": "agent_error", "message": "the model refused"})
    often = 2 * FIRST_PAUSE
    ClientCall(environment, [RUNNING, failed], longest_pause=often).raises(
        "TaskFailed", "FAILURE_SWALLOWED", "the model refused"
    )
    ClientCall(environment, [task("cancelled")], longest_pause=often).raises("TaskFailed", "FAILURE_SWALLOWED")


@pytest.mark.points(2)
@pytest.mark.concurrent(first=True)
def test_it_gives_up_at_the_deadline(environment: CheckEnvironment) -> None:
    """It raises TimeoutError at its deadline, whatever it waits for: a task, an answer, a long Retry-After."""
    start, often = partial(ClientCall, environment, deadline=0.4), 2 * FIRST_PAUSE
    stories = {
        "the task never finishes": partial(start, [RUNNING], longest_pause=often),
        "the submit is never answered": partial(start, hold="POST"),
        "the poll is never answered": partial(start, hold="GET"),
        "Retry-After is longer than the deadline": partial(start, [task("running", 60)]),
        "the submit is refused, with a Retry-After beyond the deadline": partial(start, submits=[BUSY_FOR_LONG]),
        "the answer comes a byte at a time": partial(start, hold="GET", drips=True, deadline=0.8),
        "the submit is answered late": partial(start, [RUNNING], longest_pause=often, deadline=0.8, late=0.6),
    }
    while_away = {
        "every answer is a 503": partial(start, [BUSY], deadline=OFTEN_SECONDS),
        "every connection is cut": partial(start, [CUT], deadline=OFTEN_SECONDS),
    }
    for longer in DEADLINES:
        clients = {what: start(longer=longer) for what, start in while_away.items()}
        # What begins beside these would make their first pauses as long as the later ones.
        begin_first(clients.values())
        clients |= {what: start(longer=longer) for what, start in stories.items()}
        for what in [*stories, *while_away]:
            _must_give_up(what, clients[what])
        # What did not come as far as its story goes, for want of time, is no proof.
        again = {what for what, client in clients.items() if not client.was_put_to_the_test()}
        if not again:
            return
        stories = {what: start for what, start in stories.items() if what in again}
        while_away = {what: start for what, start in while_away.items() if what in again}
    raise Inconclusive(f"{min(again)}: this machine is too busy for it to come to that. Run the check again.")


def _must_give_up(what: str, client: ClientCall) -> None:
    outcome = client.outcome(client.deadline + TIME_LIMIT_SECONDS)
    if outcome is None:
        over = f"{what}, and the deadline of {client.deadline:g} s is long over"
        raise client.wrong("NEVER_GIVES_UP", over, few=True, error=False)
    if "TimeoutError" not in outcome.get("raised", []):
        code = "GIVES_UP_TOO_SOON" if client.away else "DEADLINE_NOT_TOLD"
        raise client.wrong_exception(code, f"{what}: {raised(outcome)}", few=True)
    if client.away and len(client.polls) > OFTEN:
        raise client.wrong(
            "POLLS_TOO_OFTEN",
            f"{what}, and it asks on and on",
            likely="on this way round the loop there is no pause, or one that is not doubled.",
            next_step="after a 503 and after a broken connection, wait for `pause(…)` before the next attempt.",
            few=True,
            error=False,
        )
    if client.late and client.polls_beyond_its_deadline():
        raise client.wrong(
            "NEVER_GIVES_UP",
            f"{what}, and when the deadline of {client.deadline:g} s is over it still polls",
            likely="the deadline begins anew after the submit, so that the caller waits for up to twice as long.",
            next_step="put one `async with asyncio.timeout(deadline)` around the submit and the polls together.",
            few=True,
            error=False,
        )
    if len(client.submits) > 1 and client.refused:
        raise client.wrong("POLLS_TOO_OFTEN", f"{what}, and it asks before that", few=True, error=False)
    # Of two stories in which this shows the one that is never answered is told: it may have been too short at first.
    if len(client.submits) > 1 and not (client.late and client.longer == 1):
        raise client.wrong(
            "SUBMITTED_TWICE",
            what,
            likely="a limit for each request ends the submit, and it is sent again. The first may have been accepted.",
            next_step="let one request take all the time there is: `timeout=deadline`, where the client is made.",
            error=False,
        )
    client.good()
