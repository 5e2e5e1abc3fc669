"""One trial in the load process: creates the client of the served pattern and reports its samples."""

import random
import time
from argparse import Namespace
from collections.abc import Callable
from itertools import count

from gevent.pool import Pool

from benchmarks.load.process import dispatcher
from benchmarks.load.process.arrivals import Arrival, Segment, Shape, schedule
from benchmarks.load.process.client_behaviours import AdaptivePoll, AwaitCallback, ClientBehaviour, FixedPoll
from benchmarks.load.process.gevent_receiver import GeventReceiver
from benchmarks.load.process.http_client import Session
from benchmarks.load.process.row_files import CALLBACKS, SAMPLES, Rows
from benchmarks.load.process.self_check import SelfCheck
from benchmarks.load.process.served_pattern import CannotLoad, ServedPattern
from benchmarks.load.process.task_client import TaskClient
from benchmarks.records.callbacks import CallbackVerdict, callback_row
from benchmarks.records.run import LoadReport
from benchmarks.records.samples import Outcome, Phase, Sample
from patterns.contract.descriptor import LearnsBy

#: Reports a measure to Locust: its name, milliseconds, and an error if any.
Fire = Callable[[str, float, Exception | None], None]

_PROBLEMS = frozenset({Outcome.LOST, Outcome.FAILED, Outcome.DROPPED})


def segments(options: Namespace) -> list[Segment]:
    """The segments of the open loop."""
    o = options
    measured = Segment(Phase.MEASURED, 0.0, o.burst) if o.burst else Segment.at(Phase.MEASURED, o.duration, o.rate)
    return [
        Segment.at(Phase.WARM_UP, o.warm_up, o.rate if o.warm_up_rate is None else o.warm_up_rate),
        measured,
        Segment.at(Phase.RECOVERY, o.recovery, o.recovery_rate),
    ]


class TrialClients:
    """The clients of one trial. Raises `CannotLoad` if callbacks could not be verified."""

    def __init__(self, served: ServedPattern, options: Namespace, secret: str | None, fire: Fire, rows: Rows) -> None:
        self._served = served
        self._options = options
        self._fire = fire
        self._rows = rows
        self._numbers = count()
        self._in_flight = Pool(options.max_in_flight)
        learn, callback_url = self._behaviour(secret)
        self._client = TaskClient(learn, deadline=options.deadline, callback_url=callback_url, report=self.report)

    @property
    def is_open_loop(self) -> bool:
        """Whether tasks are sent on schedule, which needs no Locust user."""
        return bool(self._options.rate or self._options.burst)

    def one_task(self, session: Session) -> None:
        """Run one task now, for a Locust user."""
        arrival = Arrival(next(self._numbers), 0.0, Phase.MEASURED)
        sample = self._new_sample(arrival, time.time())
        self._client.perform(session, sample, self._prompt(sample))

    def open_loop(self, session: Session, begin: float | None = None, index: int = 0, of: int = 1) -> LoadReport:
        """Send the tasks of the schedule, or as one of several workers every `of`-th from `index`. Returns when all
        have their outcomes."""
        o = self._options
        self_check = SelfCheck()

        def perform(sample: Sample) -> None:
            with self_check.task():
                self._client.perform(session, sample, self._prompt(sample))

        dispatcher.dispatch(
            schedule(segments(o), o.seed, Shape(o.arrivals))[index::of],
            new_sample=self._new_sample,
            perform=perform,
            drop=self.report,
            pool=self._in_flight,
            begin=begin,
        )
        return self_check.report()

    def interrupt(self) -> None:
        """Stop the tasks in flight; their samples are written as interrupted."""
        self._in_flight.kill()

    def report(self, sample: Sample) -> None:
        """Write the row, and report the latencies of the task to Locust."""
        self._rows.write(SAMPLES, sample.row())
        for name, seconds in (
            ("submit, from the intended time", sample.submit_latency),
            ("notification lag", sample.notification_lag),
            ("end to end", sample.end_to_end),
        ):
            if seconds is not None:
                self._fire(name, 1000 * seconds, None)
        if sample.outcome in _PROBLEMS:
            elapsed = time.time() - sample.intended
            self._fire(f"task {sample.outcome}", 1000 * elapsed, RuntimeError(f"a task was {sample.outcome}"))

    def _behaviour(self, secret: str | None) -> tuple[ClientBehaviour, str | None]:
        match self._served.learns_by:
            case LearnsBy.FIXED_POLL:
                return FixedPoll(self._options.poll_interval), None
            case LearnsBy.ADAPTIVE_POLL:
                return AdaptivePoll(self._options.wait, random.Random(f"jitter:{self._options.seed}")), None
            case LearnsBy.CALLBACK:
                if not secret:
                    raise CannotLoad(
                        "Callbacks are verified: set the same KIT_WEBHOOK_SECRET=whsec_… for the server and Locust, "
                        "and KIT_WEBHOOK_ALLOW_PRIVATE=1 for the server, because the receiver is on loopback."
                    )
                try:
                    receiver = GeventReceiver(secret, self._note_callback, self._options.callback_host)
                except ValueError as error:
                    raise CannotLoad(f"KIT_WEBHOOK_SECRET must be whsec_ followed by base64: {error}") from None
                return AwaitCallback(receiver), receiver.url

    def _note_callback(self, at: float, webhook_id: str, verdict: CallbackVerdict) -> None:
        row = callback_row(self._served.pattern, self._options.trial, at, webhook_id, verdict)
        self._rows.write(CALLBACKS, row)
        if verdict is not CallbackVerdict.ACCEPTED:
            self._fire(f"callback {verdict}", 0.0, RuntimeError(f"a callback was {verdict}"))

    def _new_sample(self, arrival: Arrival, intended: float) -> Sample:
        return Sample(self._served.pattern, self._options.trial, arrival.number, arrival.phase, intended)

    def _prompt(self, sample: Sample) -> str:
        # The simulated agent's steps depend on the prompt, so the same number means the same work in every pattern.
        return f"Task {sample.number} of seed {self._options.seed}: compare the three vendors."
