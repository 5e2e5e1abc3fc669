"""The plan of a run: which load is offered to which contender, and for how long. Fixed before anything starts."""

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.plan.offers import Offer, Visit
from benchmarks.plan.workload import Workload
from benchmarks.records.run import Mode, Trial

#: As a share of the workers' capacity, in trials that should not saturate them.
USUAL_UTILISATION = 0.5
#: The rates of the sweep and of the overload, as shares of the capacity.
SWEEP = (0.25, 0.5, 0.75, 0.95, 1.2)
OVERLOAD = 2.0
#: Waiting tasks per worker, in trials that should fill the queue.
_WAITING_EACH = 8
#: Overhead of a visit: starting the servers and Locust, and stopping both. An estimate, corrected as trials run.
_START_AND_STOP_SECONDS, _LOAD_START_SECONDS = 3.0, 1.5


@dataclass(frozen=True, kw_only=True)
class RunPlan:
    """The same for every contender: the same arrivals, the same work."""

    modes: tuple[Mode, ...]
    workload: Workload = field(default_factory=Workload)
    workers: int = 14
    rate: float = 0.0
    warm_up: float = 0.75
    duration: float = 6.0
    rounds: int = 5
    hold: int = 10
    deadline: float = 20.0
    bound: float = 1.0  # seconds: the limit for the end-to-end p99 in the sweep
    arrivals: str = "poisson"
    seed: int = 0

    @property
    def capacity(self) -> float:
        """The most tasks per second that the workers can complete."""
        return self.workers / self.workload.seconds

    @property
    def utilisation(self) -> float:
        """The share of the workers' time that the offered tasks need."""
        return self.rate / self.capacity

    def offers(self, mode: Mode) -> list[Offer]:
        """The loads that a visit in this mode offers."""
        usual = USUAL_UTILISATION * self.capacity
        match mode:
            case Mode.STEADY:
                return [Offer(mode, self.rate, self.warm_up, self.duration)]
            case Mode.SOAK:
                return [Offer(mode, self.rate, self.warm_up, self.duration * 10)]
            case Mode.SWEEP:
                seconds = max(2.0, self.duration / 2)
                return [Offer(mode, round(share * self.capacity, 1), self.warm_up, seconds) for share in SWEEP]
            case Mode.BURST:
                return [Offer(mode, 0.0, self.warm_up, 0.0, burst=self.waiting, warm_up_rate=usual)]
            case Mode.OVERLOAD:
                return [
                    Offer(
                        mode, OVERLOAD * self.capacity, max(2.0, self.warm_up), self.duration,
                        warm_up_rate=usual, recovery=max(4.0, self.duration / 2), recovery_rate=usual,
                    )
                ]  # fmt: skip

    @property
    def waiting(self) -> int:
        """The tasks of a burst, and the queue size in an overload."""
        return _WAITING_EACH * self.workers

    def rounds_of(self, mode: Mode) -> int:
        """All rounds for the steady rate, which decides the ranking; fewer for the other modes."""
        return self.rounds if mode is Mode.STEADY else 1 if mode is Mode.SOAK else max(1, self.rounds // 3)

    def visits(self, contenders: Sequence[str], null: str = "") -> list[Visit]:
        """All visits, in order. Each round is shuffled, so that no contender always follows the same other."""
        visits: list[Visit] = []
        number = 0
        for mode in self.modes:
            participants = [*contenders, null] if null and mode is Mode.STEADY else list(contenders)
            for turn in range(1, self.rounds_of(mode) + 1):
                order = list(participants)
                random.Random(f"order:{self.seed}:{mode}:{turn}").shuffle(order)
                for name in order:
                    trials = []
                    for offer in self.offers(mode):
                        number += 1
                        trials.append((self._trial(number, turn, name, offer), offer))
                    size = self.waiting if mode is Mode.OVERLOAD else max(1000, 4 * self.waiting)
                    visits.append(Visit(turn, name, size, tuple(trials)))
        return visits

    def _trial(self, number: int, turn: int, name: str, offer: Offer) -> Trial:
        return Trial(
            number=number, round=turn, contender=name, mode=offer.mode, rate=offer.rate, count=offer.count,
            duration=offer.duration, capacity=self.capacity,
        )  # fmt: skip

    def seconds(self, visit: Visit) -> float:
        """The estimated seconds of a visit, if no task is lost."""
        drain = 2 * self.workload.seconds
        offered = sum(offer.seconds + self._backlog(offer) + drain + _LOAD_START_SECONDS for _, offer in visit.trials)
        return _START_AND_STOP_SECONDS + offered

    def _backlog(self, offer: Offer) -> float:
        over = offer.burst or max(0.0, (offer.rate - self.capacity) * offer.duration)
        return min(over, 4 * self.waiting) / self.capacity

    def longest_load_seconds(self, offer: Offer) -> float:
        """The most seconds that a load may take: the last task may need its whole deadline."""
        return offer.seconds + self._backlog(offer) + self.deadline

    def server_environment(self, key_prefix: str, secret: str, queue_size: int) -> dict[str, str]:
        """The server settings that affect measurements, so that the environment cannot change them."""
        return {
            **self.workload.environment(),
            "KIT_AGENT_SEED": str(self.seed),
            "KIT_WORKERS": str(self.workers),
            "KIT_POLL_INTERVAL_SECONDS": str(self.workload.poll_interval),
            "KIT_MAX_WAIT_SECONDS": str(self.hold),
            "KIT_QUEUE_SIZE": str(queue_size),
            "KIT_TASK_TIMEOUT_SECONDS": "300",
            # In the user's own Redis, these keys are separate and expire soon.
            "KIT_KEY_PREFIX": key_prefix,
            "KIT_TASK_TTL_SECONDS": "600",
            "KIT_BROKER_URL": "",
            "KIT_GRACE_SECONDS": "1",
            "KIT_WEBHOOK_SECRET": secret,
            "KIT_WEBHOOK_ALLOW_PRIVATE": "1",  # the receiver is on loopback
        }

    def load_options(self, trial: Trial, offer: Offer) -> list[str]:
        """The options of the load process."""
        return [
            *offer.options(),
            *("--poll-interval", str(self.workload.poll_interval), "--wait", str(self.hold)),
            *("--deadline", str(self.deadline), "--arrivals", self.arrivals),
            # Arrivals and prompts differ between rounds, and are the same for all contenders of a round.
            *("--seed", str(1000 * self.seed + trial.round), "--trial", str(trial.number)),
        ]

    def settings(self) -> dict[str, Any]:
        """The settings for `run.json`."""
        return {
            **asdict(self),
            "work_seconds": self.workload.seconds,
            "poll_interval": self.workload.poll_interval,
            "capacity": self.capacity,
        }
