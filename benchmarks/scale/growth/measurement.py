"""Two servers of one pattern side by side: one keeps little, the other grows. Both are asked in turn.

So a slow moment of the machine falls on both, and what counts is how they compare.
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

#: A record that is to expire with many others lives at least so long, and so much longer for each of them.
_LIVES_SECONDS, _FILLED_EACH_SECOND = 3.0, 25_000
#: For so long both are asked while records expire; longer while Redis has not forgotten all, but not for ever.
_EXPIRING_SECONDS, _MOST_EXPIRING_SECONDS = 2.0, 30.0
#: Longer than any measurement takes.
_HOLD_SECONDS = 3000
_WARM_UP = 30

Say = Callable[[str], None]


@dataclass(frozen=True)
class _Expiring:
    """A server, and when its records have all expired."""

    records: int
    many: Server
    at: float
    before: int  # the bytes that they take

    def still_there(self) -> bool:
        """Whether Redis has not forgotten most of them; in memory, the server does not say."""
        return self.many.redis is not None and self.many.redis.key_count() > self.records / 100


class GrowthMeasurement:
    """What is measured of one pattern."""

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
        """All of it. Raises `HammerFailed`, `BadAnswer`, `ProcessFailed`, `CannotServe`, `SettingsError`, `OSError`."""
        with ExitStack() as until_expired:
            small = until_expired.enter_context(self._server("small", {}))
            small.fill(self._sizes.small[Axis.RECORDS])
            # They are filled first: what expires does so while the rest is measured.
            expiring = [until_expired.enter_context(self._expiring(records)) for records in self._sizes.expiring]
            with self._server("grown", {}) as grown:
                self._records(small, grown)
            self._unfinished()
            self.expiries += [self._expire(each, small) for each in expiring]

    def _unfinished(self) -> None:
        """Waiting tasks and long-polls, on servers whose agents are never done."""
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
        self._weigh(axis, kept, grown)
        for size in self._sizes.grown[axis]:
            self._say(f"{size:,} finished records kept")
            grown.fill(size - kept)
            kept = size
            self._weigh(axis, size, grown)
            self._ask(axis, size, small, grown)

    def _waiting(self, small: Server, grown: Server) -> None:
        axis = Axis.WAITING
        grown.ids = [self._running(grown)]
        grown.submit()
        waiting = self._sizes.small[axis]
        self._weigh(axis, waiting, grown)
        for size in self._sizes.grown[axis]:
            self._say(f"{size:,} tasks wait")
            grown.send(size - waiting)
            waiting = size
            self._weigh(axis, size, grown)
            self._ask(axis, size, small, grown, cancelled=True)

    def _long_polls(self, small: Server, grown: Server, held: ExitStack) -> None:
        axis = Axis.LONG_POLLS
        grown.ids = [self._running(grown)]
        self._hold(grown, 1, held)
        polls = self._sizes.small[axis]
        self._weigh(axis, polls, grown)
        for size in self._sizes.grown[axis]:
            self._say(f"{size:,} long-polls are held")
            self._hold(grown, size - polls, held)
            polls = size
            self._weigh(axis, size, grown)
            self._ask(axis, size, small, grown, cancelled=True)

    def _hold(self, target: Server, polls: int, held: ExitStack) -> None:
        """Long-polls, each for its own task, that are held while the block lasts."""
        for _ in range(polls):
            _, task_id = target.submit()
            connection = Connection(target.port)
            held.callback(connection.close)
            connection.send(get(f"/agent/status/{task_id}", f"Prefer: wait={_HOLD_SECONDS}"))
        target.touch()  # answered after those that came before it

    def _running(self, target: Server) -> str:
        """A task that a worker has begun, and never ends: all that come after it wait."""
        _, task_id = target.submit()
        until(lambda: target.task(task_id)["status"] == "running", _MOST_EXPIRING_SECONDS, pause=0.01)
        return task_id

    def _ask(self, axis: Axis, size: int, small: Server, grown: Server, *, cancelled: bool = False) -> None:
        """Submit to both and ask both for a status, in turn; which is first changes each time."""
        small.reconnect()
        grown.reconnect()
        for turn in range(self._sizes.rounds + 1):
            for number in range(self._sizes.requests if turn else _WARM_UP):
                order = (small, grown) if number % 2 else (grown, small)
                submitted = {each: each.submit() for each in order}
                if cancelled:
                    for each in order:
                        each.cancel(submitted[each][1])
                asked = {each: each.status() for each in order}
                if turn:  # before that they warm up
                    for action, seconds in (
                        (Action.SUBMIT, {each: submitted[each][0] for each in order}),
                        (Action.STATUS, asked),
                    ):
                        self.pairs.append(Pair(self._pattern, axis, size, turn, action, seconds[small], seconds[grown]))

    def _weigh(self, axis: Axis, size: int, grown: Server) -> None:
        self.weights += [MemoryReading(self._pattern, axis, size, role, used) for role, used in grown.memory().items()]

    @contextmanager
    def _server(self, role: str, env: Mapping[str, str]) -> Iterator[Server]:
        log = self._folder / f"{self._pattern}-{role}.log"
        with server(self._pattern, env, log, self._callback_url) as started:
            yield started

    @contextmanager
    def _expiring(self, records: int) -> Iterator[_Expiring]:
        """A server with many records that have all expired at a given moment."""
        lives = _LIVES_SECONDS + records / _FILLED_EACH_SECOND
        # In Redis each record has its own moment; in memory all live equally long.
        with self._server(f"expiring-{records}", {"KIT_TASK_TTL_SECONDS": f"{lives:g}"}) as many:
            self._say(f"{records:,} records that will expire at once")
            at = time.time() + lives
            many.fill(records, expire_at=at)
            at = at if many.redis else time.time() + lives
            yield _Expiring(records, many, at, many.memory()[many.keeper])

    def _expire(self, expiring: _Expiring, small: Server) -> Expiry:
        """Ask both from the moment on at which the records have expired, and keep the longest time of each."""
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
        after = self._when_it_falls_no_more(expiring.many)
        return Expiry(
            self._pattern,
            expiring.records,
            2 * requests,
            longest[small],
            longest[expiring.many],
            expiring.before,
            after,
        )

    def _when_it_falls_no_more(self, many: Server) -> int:
        """The memory of what keeps the records, once a server without requests has forgotten all of them."""
        before, deadline = math.inf, time.monotonic() + _MOST_EXPIRING_SECONDS
        while (now := many.memory()[many.keeper]) < before and time.monotonic() < deadline:
            before = now
            time.sleep(1.0)
        return now

    def _say(self, what: str) -> None:
        self._say_line(f"{self._pattern}: {what}")
