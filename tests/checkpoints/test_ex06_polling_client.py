"""Checkpoint 6: a client that waits for an outcome politely, gets over a moment's failure, and gives up in time.

The check plays the server. A pause is only ever compared with the shortest that is allowed, so that no slow
machine makes a client wrong; where pauses are random, as many are put together as make chance no excuse.
"""

import time
from collections.abc import Iterable, Sequence
from functools import partial

import pytest

from tests.checkpoints.engine.caller import (
    ACCEPTED,
    BUSY,
    BUSY_FOR_LONG,
    COMPLETED,
    CUT,
    FIRST_PAUSE,
    OFTEN,
    OFTEN_SECONDS,
    PATIENCE_SECONDS,
    RUNNING,
    START_SECONDS,
    Client,
    raised,
    task,
)
from tests.checkpoints.engine.patience import crowding
from tests.checkpoints.engine.peer import Reply
from tests.checkpoints.engine.stage import Stage
from tests.checkpoints.engine.verdict import Inconclusive, Wrong

pytestmark = pytest.mark.side_by_side

#: How often each of several clients polls before their pauses are compared.
POLLS = 6
#: A busy machine makes every pause longer, and the first ones most, as the clients have only just started. Where they
#: seem not to grow for that reason, or differ by what may be chance, they are made so long that it cannot be.
FIRST_PAUSES = (FIRST_PAUSE, 4 * FIRST_PAUSE, 4 * FIRST_PAUSE)
#: Of so many polls the last ones, that many, are made when the limit is long reached: of 40,000 clients that put it
#: last one is lucky. A busy machine adds to every pause: where all seem to be as long as the limit, it is made so long
#: that this is little.
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
def test_it_submits_and_polls_and_returns_the_result(stage: Stage) -> None:
    """It submits the prompt, polls until the task is completed, and returns the result."""
    Client(stage, [task("pending"), RUNNING, COMPLETED]).returns_the_result()


@pytest.mark.points(2)
def test_a_moments_failure_is_retried(stage: Stage) -> None:
    """A 503 and a cut connection are tried again, and only one task is made."""
    stories = [([BUSY, COMPLETED], [ACCEPTED]), ([CUT, COMPLETED], [ACCEPTED]), ([COMPLETED], [BUSY, ACCEPTED])]
    for client, (_, submits) in [(Client(stage, *story), story) for story in stories]:
        outcome = client.outcome()
        if len(client.submits) > len(submits):
            raise client.wrong("SUBMITTED_TWICE")
        if outcome and "raised" in outcome and not client.strange():
            raise client.wrong("GIVES_UP_TOO_SOON", raised(outcome))
        client.returns_the_result()


@pytest.mark.points(2)
@pytest.mark.side_by_side(first=True)
def test_it_obeys_retry_after(stage: Stage) -> None:
    """It does not ask again before Retry-After has passed: after a submit, a poll, a 503."""
    second = 1
    start = partial(Client, stage, longest_pause=second / 2)  # which limits the client's own pauses, and no others
    clients = [
        start(submits=[task("pending", second, 202)]),
        start([task("running", second), COMPLETED]),
        start(submits=[Reply(503, BUSY.body, {"Retry-After": str(second)}), ACCEPTED]),
    ]
    for number, client in enumerate(clients):
        client.outcome(second + PATIENCE_SECONDS)
        requests = list(client.peer.requests)
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
def test_without_retry_after_the_pauses_grow_and_differ(stage: Stage) -> None:
    """Without Retry-After its pauses grow, and no two clients have the same."""
    for first_pause in FIRST_PAUSES:
        clients = [Client(stage, [RUNNING], first_pause=first_pause) for _ in range(6)]
        known = _pauses_of(clients, START_SECONDS + 2**POLLS * first_pause)
        first, last = (sum(sum(one[part]) for one in known) for part in (slice(2), slice(-2, None)))
        least = 4 * first_pause * len(known)  # a third of their mean, were each limit only half as long
        if last < least:
            raise _do_not_grow(clients)
        grow, spreads = last >= 2 * first, [_spread(column) for column in list(zip(*known, strict=True))[-2:]]
        if grow and max(spreads) < A_TENTH:
            seen = f"{len(clients)} clients that began together had the same pauses, or nearly so"
            raise clients[0].wrong("NO_JITTER", seen, few=True)
        if grow and last > ENOUGH * least and max(spreads) > A_QUARTER and min(spreads) > A_TENTH:
            return
        for client in clients:
            client.good()  # so far
    if not grow:
        raise _do_not_grow(clients)


def _spread(pauses: Sequence[float]) -> float:
    """How much shorter the shortest is than the longest but one, as a share of that. A machine that is busy for a
    moment makes one of them longer."""
    shortest, *_, long, _ = sorted(pauses)
    return 1 - shortest / long


def _do_not_grow(clients: list[Client]) -> Wrong:
    return clients[0].wrong(
        "POLLS_TOO_OFTEN",
        f"{len(clients)} clients did the same: their pauses do not grow",
        likely="every pause is as long as the first one.",
        next_step="double the longest possible pause with every attempt: FIRST_PAUSE * 2**attempt.",
        few=True,
    )


def _pauses_of(clients: list[Client], seconds: float) -> list[list[float]]:
    """The pauses before each one's next polls, in seconds, of all that polled often enough. Diagnoses those that end,
    and those of which most do not poll."""
    end = time.monotonic() + seconds * crowding()
    for client in clients:
        while len(client.polls) < POLLS and time.monotonic() < end:
            if outcome := client.outcome(0.01):
                raise client.wrong("WRONG_REQUEST" if client.strange() else "CLIENT_RAISES", raised(outcome))
    known = [pauses for client in clients if len(pauses := client.pauses()[: POLLS - 1]) == POLLS - 1]
    if len(known) < len(clients) / 2:
        slow = min(clients, key=lambda client: len(client.polls))
        raise slow.wrong("NO_NEXT_REQUEST", f"it should have asked {POLLS} times long ago")
    return known


@pytest.mark.side_by_side(first=True)
def test_the_pauses_have_an_upper_limit(stage: Stage) -> None:
    """However long it takes, no pause is longer than LONGEST_PAUSE, and up to that they are random."""
    for longest_pause in LIMITS:
        client = Client(stage, [*[RUNNING] * MANY_POLLS, COMPLETED], longest_pause=longest_pause)
        # Without a limit the pauses soon take minutes, so a crowded machine may have more time.
        outcome = client.outcome((MANY_POLLS * longest_pause + 2 * PATIENCE_SECONDS) * crowding())
        if outcome is None and len(client.polls) <= MANY_POLLS:
            seen = f"it has polled fewer than {MANY_POLLS} times, where a fraction of the time is enough"
            raise client.wrong("PAUSES_TOO_LONG", seen, few=True)
        if outcome and "TimeoutError" in outcome.get("raised", []):
            raise client.wrong(
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


def test_it_goes_on_while_the_server_is_long_away(stage: Stage) -> None:
    """However often the server is away, it goes on: only the deadline ends it."""
    client = Client(stage, [*[BUSY] * LONG_AWAY, COMPLETED], longest_pause=FIRST_PAUSE)
    if (outcome := client.outcome(2 * PATIENCE_SECONDS)) and "raised" in outcome:
        raise client.wrong(
            "GIVES_UP_TOO_SOON",
            f"after {len(client.polls)} polls {raised(outcome)}, and its deadline is far away",
            likely="it counts its attempts, and after so many of them it raises, or takes the 503 for a task.",
            next_step="go on for as long as the caller has said: `while True`, inside `asyncio.timeout(deadline)`.",
            few=True,
        )
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
@pytest.mark.side_by_side(first=True)
def test_it_gives_up_at_the_deadline(stage: Stage) -> None:
    """It raises TimeoutError at its deadline, whatever it waits for: a task, an answer, a long Retry-After."""
    start, often = partial(Client, stage, deadline=0.4), 2 * FIRST_PAUSE
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
        _have_a_head_start(clients.values())
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


def _have_a_head_start(clients: Iterable[Client]) -> None:
    over = time.monotonic() + 1
    for client in clients:
        while len(client.polls) < 3 and client.call.outcome(0.005) is None and time.monotonic() < over:
            pass


def _must_give_up(what: str, client: Client) -> None:
    outcome = client.outcome(client.deadline + PATIENCE_SECONDS)
    if outcome is None:
        over = f"{what}, and the deadline of {client.deadline:g} s is long over"
        raise client.wrong("NEVER_GIVES_UP", over, few=True, error=False)
    if "TimeoutError" not in outcome.get("raised", []):
        code = "GIVES_UP_TOO_SOON" if client.away else "DEADLINE_NOT_TOLD"
        raise client.wrong(code, f"{what}: {raised(outcome)}", few=True)
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
