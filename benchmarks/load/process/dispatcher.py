"""The open loop: each task is sent at its intended time, whatever happened to earlier ones.

A closed loop, which waits for one response before it sends the next request, stops offering load exactly when the
server stalls, and so omits the worst latencies (coordinated omission).
"""

import time
from collections.abc import Callable, Iterable

import gevent
from gevent.pool import Pool

from benchmarks.load.process.arrivals import Arrival
from benchmarks.records.samples import Outcome, Sample

#: Time before the first arrival, so that it is not late.
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
    """Send every arrival on schedule and return when all have their outcomes.

    The schedule starts at `begin`, a future time on time.time(), by default now. An arrival that finds the pool full
    is dropped: waiting for a slot would close the loop.
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
