"""The pauses between the attempts of a delivery: the first is as long as the settings say, and each next one twice as
long. Chance may take away up to half of each.

No pause can be found shorter than it was made, and every one can be found longer: by what an attempt costs, and by what
a busy machine adds. So one that is too short is wrong for certain, and pauses that are all as long as they must be are
right, unless all of them are far longer, the last one too: that is no machine's doing. Where chance may have taken
something away, more deliveries must tell: a machine is not busy at the same moment of each.
"""

from itertools import pairwise

from tests.checkpoints.engine.actors.environment import CheckEnvironment
from tests.checkpoints.engine.diagnosis.failures import Wrong
from tests.checkpoints.engine.webhooks.receiver import BUSY, FIRST_PAUSE, TAKEN, Delivery, Receiver

#: So many that the last one is long, beside those that grow more slowly and beside what an attempt costs.
_PAUSES = 7
#: How many more deliveries must tell.
_MORE = 4
#: So many times as long as they should be: a busy machine does not make all of them that long, the last one too.
_TOO_LONG = 1.9
#: What clocks may differ by.
_EXACT = 0.99
#: The nine numbers that `random` gives first after this are all below 0.2: whoever leaves a whole pause to chance makes
#: short ones, in every run, and whoever leaves half of it to chance still makes long ones.
_BAD_LUCK = "576315"


def pauses_grow(environment: CheckEnvironment) -> None:
    """Diagnose pauses that are too short, do not grow, or are all too long."""
    if not _amiss(environment, FIRST_PAUSE / 2):
        return
    # What an attempt costs is in every pause: in doubt they are made longer than that.
    longer = 5 * FIRST_PAUSE / 2
    environment.timeline.note(f"once more, with FIRST_PAUSE_SECONDS={longer:g}")
    if wrong := _amiss(environment, longer):
        raise wrong


def _amiss(environment: CheckEnvironment, first_pause: float) -> Wrong | None:
    """What seems to be wrong with the pauses. One that is shorter than it may be is wrong for certain, and raised."""
    replies = [*[BUSY] * _PAUSES, TAKEN]
    full = [first_pause * 2**number for number in range(_PAUSES)]
    with Receiver(environment) as receiver:
        receiver.serve(first_pause=first_pause, random_seed=_BAD_LUCK)
        found = _pauses(receiver.complete(*replies), full)
        if found[-1] < 2 * min(found):
            return Wrong("RETRIED_TOO_SOON", "the last pause is hardly longer than the shortest one")
        if all(pause > _TOO_LONG * due for pause, due in zip(found, full, strict=True)):
            return Wrong(
                "PAUSES_TOO_LONG",
                "every pause is about twice as long as it should be, or longer: the first one, too",
                likely="the count begins at 1: the first pause is FIRST_PAUSE_SECONDS * 2**1.",
                next_step="let the first pause be FIRST_PAUSE_SECONDS, and double it for the next.",
            )
        if any(pause < _EXACT * due for pause, due in zip(found, full, strict=True)):
            for delivery in [receiver.complete(*replies) for _ in range(_MORE)]:
                _pauses(delivery, full)
    return None


def _pauses(delivery: Delivery, full: list[float]) -> list[float]:
    """The pauses of a delivery. Of those that are shorter than chance may make them, the last is diagnosed."""
    for number, pause in enumerate([0.0, *full], 1):
        delivery.attempt(number, later=3 * pause)
    found = [later.at - earlier.at for earlier, later in pairwise(delivery.attempts[: len(full) + 1])]
    for number, (pause, due) in reversed(list(enumerate(zip(found, full, strict=True)))):
        if pause < _EXACT * due / 2:
            seen = f"pause {number + 1} is shorter than half of FIRST_PAUSE_SECONDS * {2**number}"
            raise Wrong("RETRIED_TOO_SOON", seen)
    return found
