"""The pauses between the polls of several clients that started together."""

import time
from collections.abc import Iterable, Sequence

from tests.checkpoints.engine.actors.client_call import (
    ClientCall,
    raised,
)
from tests.checkpoints.engine.diagnosis.failures import Wrong
from tests.checkpoints.engine.processes.time_limits import load_factor

#: How often each of several clients polls before their pauses are compared.
POLLS = 6


def spread(pauses: Sequence[float]) -> float:
    """The relative difference between the shortest and the second longest pause. The longest may be a delay of a busy
    machine."""
    shortest, *_, long, _ = sorted(pauses)
    return 1 - shortest / long


def do_not_grow(clients: list[ClientCall]) -> Wrong:
    return clients[0].wrong(
        "POLLS_TOO_OFTEN",
        f"{len(clients)} clients behaved the same: their pauses do not grow",
        likely="every pause is as long as the first.",
        next_step="double the maximum of the pause with every attempt: FIRST_PAUSE * 2**attempt.",
        few=True,
    )


def pauses_of(clients: list[ClientCall], seconds: float) -> list[list[float]]:
    """The pauses between polls in seconds, for each client that polled often enough. Diagnoses a client that ends, and
    clients of which most do not poll."""
    end = time.monotonic() + seconds * load_factor()
    for client in clients:
        while len(client.polls) < POLLS and time.monotonic() < end:
            if outcome := client.outcome(0.01):
                raise client.wrong("WRONG_REQUEST" if client.strange() else "CLIENT_RAISES", raised(outcome))
    known = [pauses for client in clients if len(pauses := client.pauses()[: POLLS - 1]) == POLLS - 1]
    if len(known) < len(clients) / 2:
        slow = min(clients, key=lambda client: len(client.polls))
        raise slow.wrong("NO_NEXT_REQUEST", f"it should have polled {POLLS} times by now")
    return known


def begin_first(clients: Iterable[ClientCall]) -> None:
    """Let these clients poll a few times before others start."""
    over = time.monotonic() + 1
    for client in clients:
        while len(client.polls) < 3 and client.call.outcome(0.005) is None and time.monotonic() < over:
            pass
