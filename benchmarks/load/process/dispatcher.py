"""The open loop: each task is sent at its moment, whatever became of the ones before it.

A client that waits for one answer before it sends the next stops offering load exactly when the server
stalls, and its percentiles then look best when the service is worst.
"""

import time
from collections.abc import Callable, Iterable

import gevent
from gevent.pool import Pool

from benchmarks.load.process.arrivals import Arrival
from benchmarks.records.samples import Outcome, Sample

#: From now to the first arrival, so that the first is not late.
_LEAD_SECONDS = 0.1


def dispatch(
    arrivals: Iterable[Arrival],
    *,
    new_sample: Callable[[Arrival, float], Sample],
    perform: Callable[[Sample], None],
    drop: Callable[[Sample], None],
    pool: Pool,
    begin: float | None = None,
) -> None:
    """Send every arrival at its moment, counted from `begin` (a moment to come; now, if not given), and return when
    each has its outcome.

    An arrival that finds the pool full is dropped: waiting for a place would close the loop.
    """
    begin = begin or time.time() + _LEAD_SECONDS
    for arrival in arrivals:
        intended = begin + arrival.offset
        gevent.sleep(max(0.0, intended - time.time()))
        sample = new_sample(arrival, intended)
        if pool.full():
            sample.outcome = Outcome.DROPPED
            drop(sample)
        else:
            pool.spawn(perform, sample)
    pool.join()
