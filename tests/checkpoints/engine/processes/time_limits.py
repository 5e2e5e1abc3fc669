"""How long a check waits for something that should take milliseconds."""

import os

#: Correct code takes milliseconds. After this, the check gives a diagnosis.
TIME_LIMIT_SECONDS = 1.5
START_SECONDS = 5.0

_CALM = 1.5  # runnable processes per core; up to here, none waits long
_MOST = 3.0


def load_factor() -> float:
    """A factor for time limits: 1 on an idle machine, up to 3 on a busy one, where everything takes longer."""
    runnable, _, _ = os.getloadavg()
    return min(_MOST, max(1.0, runnable / (os.cpu_count() or 1) / _CALM))
