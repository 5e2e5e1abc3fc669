"""The pauses between the attempts of a delivery: the first is set by FIRST_PAUSE_SECONDS, and each one after it is
twice as long. Jitter may shorten each by up to half.

A measured pause is never shorter than the real one, but may be longer: by the time of an attempt, and by delays of a
busy machine. So a pause that is too short is certainly wrong, and pauses that are all long enough are right, unless all
of them, the last one too, are far too long: a busy machine does not cause that. If jitter may have shortened a pause,
more deliveries decide: a machine is not busy at the same moment of each.
"""

from itertools import pairwise

from tests.checkpoints.engine.actors.environment import CheckEnvironment
from tests.checkpoints.engine.diagnosis.failures import Wrong
from tests.checkpoints.engine.webhooks.receiver import BUSY, FIRST_PAUSE, TAKEN, Delivery, Receiver

#: Enough that the last pause is long compared with pauses that grow more slowly, and with the time of an attempt.
_PAUSES = 7
#: How many more deliveries decide.
_MORE = 4
#: This factor is too long: a busy machine does not delay every pause by that much, including the last.
_TOO_LONG = 1.9
#: Tolerance for differences between clocks.
_EXACT = 0.99
#: With this seed, the first nine numbers of `random` are below 0.2: full jitter makes short pauses in every run, and
#: jitter over half of a pause still makes long ones.
_BAD_LUCK = "576315"


def pauses_grow(environment: CheckEnvironment) -> None:
    """Diagnose pauses that are too short, do not grow, or are all too long."""
    if not _fault(environment, FIRST_PAUSE / 2):
        return
    # The time of an attempt is part of every measured pause: if in doubt, use pauses much longer than that.
    longer = 5 * FIRST_PAUSE / 2
    environment.timeline.note(f"again, with FIRST_PAUSE_SECONDS={longer:g}")
    if wrong := _fault(environment, longer):
        raise wrong


def _fault(environment: CheckEnvironment, first_pause: float) -> Wrong | None:
    """What seems to be wrong with the pauses. Raises `Wrong` for a pause that is certainly too short."""
    replies = [*[BUSY] * _PAUSES, TAKEN]
    full = [first_pause * 2**number for number in range(_PAUSES)]
    with Receiver(environment) as receiver:
        receiver.serve(first_pause=first_pause, random_seed=_BAD_LUCK)
        found = _pauses(receiver.complete(*replies), full)
        if found[-1] < 2 * min(found):
            return Wrong("RETRIED_TOO_SOON", "the last pause is hardly longer than the shortest")
        if all(pause > _TOO_LONG * due for pause, due in zip(found, full, strict=True)):
            return Wrong(
                "PAUSES_TOO_LONG",
                "every pause, from the first on, is about twice as long as it should be, or longer",
                likely="the exponent starts at 1: the first pause is FIRST_PAUSE_SECONDS * 2**1.",
                next_step="make the first pause FIRST_PAUSE_SECONDS, and double it for each one after that.",
            )
        if any(pause < _EXACT * due for pause, due in zip(found, full, strict=True)):
            for delivery in [receiver.complete(*replies) for _ in range(_MORE)]:
                _pauses(delivery, full)
    return None


def _pauses(delivery: Delivery, full: list[float]) -> list[float]:
    """The pauses of a delivery. Diagnoses the last pause that is shorter than jitter may make it."""
    for number, pause in enumerate([0.0, *full], 1):
        delivery.attempt(number, later=3 * pause)
    found = [later.at - earlier.at for earlier, later in pairwise(delivery.attempts[: len(full) + 1])]
    for number, (pause, due) in reversed(list(enumerate(zip(found, full, strict=True)))):
        if pause < _EXACT * due / 2:
            seen = f"pause {number + 1} is shorter than half of FIRST_PAUSE_SECONDS * {2**number}"
            raise Wrong("RETRIED_TOO_SOON", seen)
    return found
