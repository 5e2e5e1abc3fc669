"""What a run offers, to whom, and for how long: decided before anything starts."""

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from benchmarks.plan.workload import AgentActivity, Length, Workload
from benchmarks.records.run import Mode, Trial

#: Above this share of what the workers can do, tasks wait for each other longer than they run.
MOST_UTILISATION = 0.95
_USUAL_UTILISATION = 0.5
#: What the sweep offers, as shares of what the workers can do.
SWEEP = (0.25, 0.5, 0.75, 0.95, 1.2)
OVERLOAD = 2.0
#: Tasks that may wait for each worker, where a queue is meant to fill up.
_WAITING_EACH = 8
#: Beside the load itself: servers start, Locust starts, and all of it stops. A first guess; trials correct it.
_START_AND_STOP_SECONDS, _LOAD_START_SECONDS = 3.0, 1.5


class PlanError(Exception):
    """A run that would say nothing. The message is one line that says what to change."""


@dataclass(frozen=True)
class Offer:
    """What one trial offers: the load process's options."""

    mode: Mode
    rate: float
    warm_up: float
    duration: float
    burst: int = 0
    warm_up_rate: float | None = None
    recovery: float = 0.0
    recovery_rate: float = 0.0

    @property
    def count(self) -> int:
        """How many tasks are measured."""
        return self.burst or round(self.rate * self.duration)

    @property
    def seconds(self) -> float:
        """From the first task to the last."""
        return self.warm_up + (0 if self.burst else self.duration) + self.recovery

    def options(self) -> list[str]:
        """For the load process."""
        said = {
            "--rate": self.rate,
            "--warm-up": self.warm_up,
            "--duration": self.duration,
            "--burst": self.burst,
            "--recovery": self.recovery,
            "--recovery-rate": self.recovery_rate,
            "--warm-up-rate": self.rate if self.warm_up_rate is None else self.warm_up_rate,
        }
        return [part for name, value in said.items() for part in (name, str(value))]


@dataclass(frozen=True)
class Visit:
    """Servers of one contender, started afresh, and the trials that they are put to one after the other."""

    round: int
    contender: str
    queue_size: int
    trials: tuple[tuple[Trial, Offer], ...]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The same for every contender: the same moments, the same work."""

    modes: tuple[Mode, ...]
    workload: Workload = field(default_factory=Workload)
    workers: int = 14
    rate: float = 0.0
    warm_up: float = 0.75
    duration: float = 6.0
    rounds: int = 5
    hold: int = 10
    deadline: float = 20.0
    bound: float = 1.0  # seconds that p99 of end to end may take, in the sweep
    arrivals: str = "poisson"
    seed: int = 0

    @property
    def capacity(self) -> float:
        """The tasks per second that the workers can do at most."""
        return self.workers / self.workload.seconds

    @property
    def utilisation(self) -> float:
        """The share of the workers' time that the offered tasks need."""
        return self.rate / self.capacity

    def offers(self, mode: Mode) -> list[Offer]:
        """What a visit in this mode is put to."""
        usual = _USUAL_UTILISATION * self.capacity
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
        """The tasks of a burst, and those that may be unfinished in an overload."""
        return _WAITING_EACH * self.workers

    def rounds_of(self, mode: Mode) -> int:
        """The steady rate decides which is better, and has all rounds; what saturates shows in fewer."""
        return self.rounds if mode is Mode.STEADY else 1 if mode is Mode.SOAK else max(1, self.rounds // 3)

    def visits(self, contenders: Sequence[str], null: str = "") -> list[Visit]:
        """Every visit, in order: each round in an order of its own, so that none always follows the same one."""
        visits: list[Visit] = []
        number = 0
        for mode in self.modes:
            taking_part = [*contenders, null] if null and mode is Mode.STEADY else list(contenders)
            for turn in range(1, self.rounds_of(mode) + 1):
                order = list(taking_part)
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
        """How long a visit takes, if nothing is lost."""
        drain = 2 * self.workload.seconds
        offered = sum(offer.seconds + self._backlog(offer) + drain + _LOAD_START_SECONDS for _, offer in visit.trials)
        return _START_AND_STOP_SECONDS + offered

    def _backlog(self, offer: Offer) -> float:
        over = offer.burst or max(0.0, (offer.rate - self.capacity) * offer.duration)
        return min(over, 4 * self.waiting) / self.capacity

    def longest_load_seconds(self, offer: Offer) -> float:
        """How long a load may take at most: the last task may be waited for until its deadline."""
        return offer.seconds + self._backlog(offer) + self.deadline

    def server_environment(self, key_prefix: str, secret: str, queue_size: int) -> dict[str, str]:
        """The settings of the servers. All that bear on the figures are given, whatever the environment says."""
        return {
            **self.workload.environment(),
            "KIT_AGENT_SEED": str(self.seed),
            "KIT_WORKERS": str(self.workers),
            "KIT_POLL_INTERVAL_SECONDS": str(self.workload.poll_interval),
            "KIT_MAX_WAIT_SECONDS": str(self.hold),
            "KIT_QUEUE_SIZE": str(queue_size),
            "KIT_TASK_TIMEOUT_SECONDS": "300",
            # In a Redis of the user's own, nothing of theirs is touched, and nothing of ours stays for long.
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
            # Another round has other moments and other prompts; each contender has the same ones in a round.
            *("--seed", str(1000 * self.seed + trial.round), "--trial", str(trial.number)),
        ]

    def settings(self) -> dict[str, Any]:
        """For `run.json`."""
        return {
            **asdict(self),
            "work_seconds": self.workload.seconds,
            "poll_interval": self.workload.poll_interval,
            "capacity": self.capacity,
        }


#: All five within a minute, one round.
QUICK = Plan(modes=(Mode.STEADY,), duration=3.5, rounds=1, deadline=6.0)

#: Four modes, within a quarter of an hour on two cores.
FULL = Plan(modes=(Mode.STEADY, Mode.SWEEP, Mode.BURST, Mode.OVERLOAD))


def plan(
    *,
    quick: bool = False,
    modes: Sequence[Mode] = (),
    rate: float | None = None,
    duration: float | None = None,
    rounds: int | None = None,
    workers: int | None = None,
    length: Length | None = None,
    doing: AgentActivity | None = None,
    bound: float | None = None,
    arrivals: str | None = None,
    seed: int = 0,
) -> Plan:
    """The run that was asked for; without a rate, one that keeps the workers half busy.

    Raises `PlanError` when the workers could not keep up with the rate, or when there is no task to measure.
    """
    base = QUICK if quick else FULL
    workload = Workload(length or base.workload.length, doing or base.workload.doing)
    slower = workload.seconds / base.workload.seconds
    chosen = replace(
        base,
        seed=seed,
        workload=workload,
        modes=tuple(dict.fromkeys(modes)) or base.modes,
        workers=workers or base.workers,
        rounds=rounds or base.rounds,
        duration=duration or base.duration * max(1.0, slower / 2),
        deadline=max(base.deadline, 20 * workload.seconds),
        bound=bound or max(base.bound, 4 * workload.seconds),
        arrivals=arrivals or base.arrivals,
    )
    chosen = replace(chosen, rate=rate or _USUAL_UTILISATION * chosen.capacity)
    if chosen.utilisation > MOST_UTILISATION and {Mode.STEADY, Mode.SOAK} & set(chosen.modes):
        most = MOST_UTILISATION * chosen.capacity
        raise PlanError(
            f"--rate {chosen.rate:g} is more than {chosen.workers} workers can keep up with: a task takes "
            f"{chosen.workload.seconds:g} s, so offer at most {most:g} per second, or give more --workers."
        )
    if Mode.STEADY in chosen.modes and not round(chosen.rate * chosen.duration):
        raise PlanError(f"--rate {chosen.rate:g} for --duration {chosen.duration:g} s is not a single task.")
    return chosen
