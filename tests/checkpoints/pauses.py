"""The pauses between the attempts of a delivery: the first is as long as it is told to be, and each next one twice as
long. Chance may take away up to half of each.

No pause can be found shorter than it was made, and every one can be found longer: by what an attempt costs, and by what
a busy machine adds. So one that is too short is wrong for certain, and pauses that are all as long as they must be are
right. Where chance may have taken something away, more deliveries must tell: a machine is not busy at the same moment
of each.
"""

from itertools import pairwise

from tests.checkpoints.receiver import BUSY, FIRST_PAUSE, TAKEN, Delivery, Receiver
from tests.checkpoints.stage import Stage
from tests.checkpoints.verdict import Wrong

#: So many that the last one is long, beside those that grow more slowly and beside what an attempt costs.
_PAUSES = 7
#: How many more deliveries must tell.
_MORE = 4
#: What clocks may differ by.
_EXACT = 0.99
#: The nine numbers that `random` gives first after this are all below 0.2: whoever leaves a whole pause to chance makes
#: short ones, in every run, and whoever leaves half of it to chance still makes long ones.
_BAD_LUCK = "576315"


def pauses_grow(stage: Stage) -> None:
    """Diagnose pauses that are too short, or do not grow."""
    if _grow(stage, FIRST_PAUSE / 2):
        return
    # What an attempt costs is in every pause: in doubt they are made longer than that.
    longer = 5 * FIRST_PAUSE / 2
    stage.timeline.note(f"once more, with FIRST_PAUSE_SECONDS={longer:g}")
    if not _grow(stage, longer):
        raise Wrong("RETRIED_TOO_SOON", "the last pause is hardly longer than the shortest one")


def _grow(stage: Stage, first_pause: float) -> bool:
    """Whether the last pause is clearly longer than the shortest. One that is shorter than it may be is diagnosed."""
    says = [*[BUSY] * _PAUSES, TAKEN]
    full = [first_pause * 2**number for number in range(_PAUSES)]
    with Receiver(stage) as receiver:
        receiver.serve(first_pause=first_pause, random_seed=_BAD_LUCK)
        found = _pauses(receiver.complete(*says), full)
        if found[-1] < 2 * min(found):
            return False
        if any(pause < _EXACT * due for pause, due in zip(found, full, strict=True)):
            for delivery in [receiver.complete(*says) for _ in range(_MORE)]:
                _pauses(delivery, full)
    return True


def _pauses(delivery: Delivery, full: list[float]) -> list[float]:
    """The pauses of a delivery. Of those that are shorter than chance may make them, the last is diagnosed."""
    for number, pause in enumerate([0.0, *full], 1):
        delivery.attempt(number, later=pause)
    found = [later.at - earlier.at for earlier, later in pairwise(delivery.attempts[: len(full) + 1])]
    for number, (pause, due) in reversed(list(enumerate(zip(found, full, strict=True)))):
        if pause < _EXACT * due / 2:
            seen = f"pause {number + 1} is shorter than half of FIRST_PAUSE_SECONDS * {2**number}"
            raise Wrong("RETRIED_TOO_SOON", seen)
    return found
