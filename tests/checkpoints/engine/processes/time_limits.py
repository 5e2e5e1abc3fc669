"""How long a check waits for what should take milliseconds."""

import os

#: What works takes milliseconds. What is not done by then is diagnosed.
TIME_LIMIT_SECONDS = 1.5
START_SECONDS = 5.0

_CALM = 1.5  # processes that want to run, per core; up to here nobody waits long for a turn
_MOST = 3.0


def load_factor() -> float:
    """1 on a machine that has time, up to 3 on one that is crowded: then everything takes longer, right or wrong."""
    wanting, _, _ = os.getloadavg()
    return min(_MOST, max(1.0, wanting / (os.cpu_count() or 1) / _CALM))
