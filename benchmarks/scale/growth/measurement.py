"""Two servers of one pattern side by side: one stays small, the other grows. Both get the same requests in turn.

A slow moment of the machine affects both, so their ratio is what counts.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.records.growth import Action, Axis, Expiry, MemoryReading, Pair
from benchmarks.scale.growth.server import NEVER_DONE, Server, server
from benchmarks.scale.growth.sizes import Sizes
from benchmarks.scale.http_connection import Connection, get
from patterns.serving.waiting import until

#: The lifetime of records that expire together: this long, and more by the time that writing them takes.
_LIVES_SECONDS, _FILLED_EACH_SECOND = 3.0, 25_000
#: How long requests are sent while records expire: at least, and at most while Redis still has records.
_EXPIRING_SECONDS, _MOST_EXPIRING_SECONDS = 2.0, 30.0
#: Longer than any measurement.
_HOLD_SECONDS = 3000
_WARM_UP = 30

Say = Callable[[str], None]


@dataclass(frozen=True)
class _Expiring:
    """A server with many records, and the time at which all have expired."""

    records: int
    many: Server
    at: float
    before: int  # bytes in use

    def still_there(self) -> bool:
        """Whether Redis still has many of the records. An in-memory store cannot tell."""
        return self.many.redis is not None and self.many.redis.key_count() > self.records / 100


class GrowthMeasurement:
    """The growth measurements of one pattern."""

    def __init__(self, pattern: str, sizes: Sizes, folder: Path, callback_url: str, say: Say) -> None:
        self.pairs: list[Pair] = []
        self.weights: list[MemoryReading] = []
        self.expiries: list[Expiry] = []
        self._pattern = pattern
        self._sizes = sizes
        self._folder = folder
        self._callback_url = callback_url
        self._say_line = say

    def run(self) -> None:
        """Run all. Raises `HammerFailed`, `BadAnswer`, `ProcessFailed`, `CannotServe`, `SettingsError`, `OSError`."""
        with ExitStack() as until_expired:
            small = until_expired.enter_context(self._server("small", {}))
            small.fill(self._sizes.small[Axis.RECORDS])
            # Filled first, so that they expire while the rest is measured.
            expiring = [until_expired.enter_context(self._expiring(records)) for records in self._sizes.expiring]
            with self._server("grown", {}) as grown:
                self._records(small, grown)
            self._unfinished()
            self.expiries += [self._expire(each, small) for each in expiring]

    def _unfinished(self) -> None:
        """Waiting tasks and long-polls, on servers whose agents never finish."""
        with self._server("small", NEVER_DONE) as small, ExitStack() as held:
            small.ids = [self._running(small)]
            self._hold(small, 1, held)
            with self._server("grown", NEVER_DONE) as grown:
                self._waiting(small, grown)
            with self._server("grown", NEVER_DONE) as grown:
                self._long_polls(small, grown, held)

    def _records(self, small: Server, grown: Server) -> None:
        axis = Axis.RECORDS
        grown.fill(self._sizes.small[axis])
        kept = self._sizes.small[axis]
        self._measure_memory(axis, kept, grown)
        for size in self._sizes.grown[axis]:
            self._say(f"{size:,} kept records")
            grown.fill(size - kept)
            kept = size
            self._measure_memory(axis, size, grown)
            self._measure_latency(axis, size, small, grown)

    def _waiting(self, small: Server, grown: Server) -> None:
        axis = Axis.WAITING
        grown.ids = [self._running(grown)]
        grown.submit()
        waiting = self._sizes.small[axis]
        self._measure_memory(axis, waiting, grown)
        for size in self._sizes.grown[axis]:
            self._say(f"{size:,} waiting tasks")
            grown.send(size - waiting)
            waiting = size
            self._measure_memory(axis, size, grown)
            self._measure_latency(axis, size, small, grown, cancel=True)

    def _long_polls(self, small: Server, grown: Server, held: ExitStack) -> None:
        axis = Axis.LONG_POLLS
        grown.ids = [self._running(grown)]
        self._hold(grown, 1, held)
        polls = self._sizes.small[axis]
        self._measure_memory(axis, polls, grown)
        for size in self._sizes.grown[axis]:
            self._say(f"{size:,} open long-polls")
            self._hold(grown, size - polls, held)
            polls = size
            self._measure_memory(axis, size, grown)
            self._measure_latency(axis, size, small, grown, cancel=True)

    def _hold(self, target: Server, polls: int, held: ExitStack) -> None:
        """Open long-polls, each for its own task, until `held` is closed."""
        for _ in range(polls):
            _, task_id = target.submit()
            connection = Connection(target.port)
            held.callback(connection.close)
            connection.send(get(f"/agent/status/{task_id}", f"Prefer: wait={_HOLD_SECONDS}"))
        target.touch()  # its response comes after the earlier requests have been read

    def _running(self, target: Server) -> str:
        """Submit a task that occupies the worker forever, so that all later tasks wait."""
        _, task_id = target.submit()
        until(lambda: target.task(task_id)["status"] == "running", _MOST_EXPIRING_SECONDS, pause=0.01)
        return task_id

    def _measure_latency(self, axis: Axis, size: int, small: Server, grown: Server, *, cancel: bool = False) -> None:
        """Send a submit and a status request to both servers; which is first alternates."""
        small.reconnect()
        grown.reconnect()
        for turn in range(self._sizes.rounds + 1):
            for number in range(self._sizes.requests if turn else _WARM_UP):
                order = (small, grown) if number % 2 else (grown, small)
                submitted = {each: each.submit() for each in order}
                if cancel:
                    for each in order:
                        each.cancel(submitted[each][1])
                status = {each: each.status() for each in order}
                if turn:  # the first turn is the warm-up
                    for action, seconds in (
                        (Action.SUBMIT, {each: submitted[each][0] for each in order}),
                        (Action.STATUS, status),
                    ):
                        self.pairs.append(Pair(self._pattern, axis, size, turn, action, seconds[small], seconds[grown]))

    def _measure_memory(self, axis: Axis, size: int, grown: Server) -> None:
        self.weights += [MemoryReading(self._pattern, axis, size, role, used) for role, used in grown.memory().items()]

    @contextmanager
    def _server(self, role: str, env: Mapping[str, str]) -> Iterator[Server]:
        log = self._folder / f"{self._pattern}-{role}.log"
        with server(self._pattern, env, log, self._callback_url) as started:
            yield started

    @contextmanager
    def _expiring(self, records: int) -> Iterator[_Expiring]:
        """A server with many records that all expire by a given time."""
        lives = _LIVES_SECONDS + records / _FILLED_EACH_SECOND
        # In Redis each record has its own expiry; in memory all have the same lifetime.
        with self._server(f"expiring-{records}", {"KIT_TASK_TTL_SECONDS": f"{lives:g}"}) as many:
            self._say(f"writing {records:,} records that will expire at once")
            at = time.time() + lives
            many.fill(records, expire_at=at)
            at = at if many.redis else time.time() + lives
            yield _Expiring(records, many, at, many.memory()[many.keeper])

    def _expire(self, expiring: _Expiring, small: Server) -> Expiry:
        """Send requests to both once the records have expired, and record the longest request of each."""
        while (remaining := expiring.at - time.time()) > 0:
            time.sleep(min(remaining, 0.1))
        self._say(f"{expiring.records:,} records expire")
        small.reconnect()
        expiring.many.reconnect()
        longest = {small: 0.0, expiring.many: 0.0}
        begin, requests = time.monotonic(), 0
        while (took := time.monotonic() - begin) < _EXPIRING_SECONDS or (
            expiring.still_there() and took < _MOST_EXPIRING_SECONDS
        ):
            for each in (expiring.many, small) if requests % 2 == 0 else (small, expiring.many):
                seconds, task_id = each.submit()
                longest[each] = max(longest[each], seconds, each.status(task_id))
            requests += 1
        after = self._settled_memory(expiring.many)
        return Expiry(
            self._pattern,
            expiring.records,
            2 * requests,
            longest[small],
            longest[expiring.many],
            expiring.before,
            after,
        )

    def _settled_memory(self, many: Server) -> int:
        """The memory of the process that keeps the records, once it no longer decreases."""
        before, deadline = math.inf, time.monotonic() + _MOST_EXPIRING_SECONDS
        while (now := many.memory()[many.keeper]) < before and time.monotonic() < deadline:
            before = now
            time.sleep(1.0)
        return now

    def _say(self, what: str) -> None:
        self._say_line(f"{self._pattern}: {what}")
