"""What a run offers, to whom, and for how long: decided before anything starts."""

from dataclasses import dataclass, replace

#: Above this share of what the workers can do, tasks wait for each other longer than they run.
MOST_UTILISATION = 0.95
_USUAL_UTILISATION = 0.5


class PlanError(Exception):
    """A run that would say nothing. The message is one line that says what to change."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The same for every pattern: the same moments, the same work."""

    steps: int
    step_seconds: float
    jitter: float
    workers: int
    rate: float
    warm_up: float
    duration: float
    rounds: int
    poll_interval: float
    hold: int
    deadline: float
    seed: int

    @property
    def work(self) -> float:
        """How long the agent works on a task, on average."""
        return self.steps * self.step_seconds

    @property
    def capacity(self) -> float:
        """The tasks per second that the workers can do at most."""
        return self.workers / self.work

    @property
    def utilisation(self) -> float:
        """The share of the workers' time that the offered tasks need."""
        return self.rate / self.capacity

    @property
    def tasks(self) -> int:
        """How many tasks of one pattern are measured, in all rounds."""
        return self.rounds * round(self.rate * self.duration)

    @property
    def load_seconds(self) -> float:
        """How long a trial takes from its first task to its last outcome, if nothing is lost."""
        return self.warm_up + self.duration + 2 * self.work

    @property
    def longest_load_seconds(self) -> float:
        """How long that may take at most: the last task may be waited for until its deadline."""
        return self.warm_up + self.duration + self.deadline

    def server_environment(self, key_prefix: str, secret: str) -> dict[str, str]:
        """The settings of the servers. All that bear on the figures are given, whatever the environment says."""
        return {
            "KIT_AGENT": "simulated",
            "KIT_AGENT_BEHAVIOUR": "work",
            "KIT_AGENT_OBEYS_PROMPT": "0",
            "KIT_AGENT_STEPS": str(self.steps),
            "KIT_AGENT_STEP_SECONDS": str(self.step_seconds),
            "KIT_AGENT_JITTER": str(self.jitter),
            "KIT_AGENT_SEED": str(self.seed),
            "KIT_WORKERS": str(self.workers),
            "KIT_POLL_INTERVAL_SECONDS": str(self.poll_interval),
            "KIT_MAX_WAIT_SECONDS": str(self.hold),
            "KIT_QUEUE_SIZE": "1000",
            "KIT_TASK_TIMEOUT_SECONDS": "300",
            # In a Redis of the user's own, nothing of theirs is touched, and nothing of ours stays for long.
            "KIT_KEY_PREFIX": key_prefix,
            "KIT_TASK_TTL_SECONDS": "600",
            "KIT_BROKER_URL": "",
            "KIT_GRACE_SECONDS": "1",
            "KIT_WEBHOOK_SECRET": secret,
            "KIT_WEBHOOK_ALLOW_PRIVATE": "1",  # the receiver is on loopback
        }

    def load_options(self, trial: int) -> list[str]:
        """The options of the load process."""
        return [
            *("--rate", str(self.rate), "--warm-up", str(self.warm_up), "--duration", str(self.duration)),
            *("--poll-interval", str(self.poll_interval), "--wait", str(self.hold), "--deadline", str(self.deadline)),
            # Another round has other moments and other prompts; each pattern has the same ones in a round.
            *("--seed", str(1000 * self.seed + trial), "--trial", str(trial)),
        ]


#: A minute for all five. The agent is a scale model of one that works for minutes and is polled each second. Its
#: mean lies half-way between two polls: on one, the median would be either of two polls, by chance.
QUICK = Plan(
    steps=5,
    step_seconds=0.05,
    jitter=1.0,
    workers=14,
    rate=28.0,
    warm_up=0.75,
    duration=3.5,
    rounds=1,
    poll_interval=0.1,
    hold=10,
    deadline=6.0,
    seed=0,
)

#: Two rounds (A B C, A B C), so that a slow minute of the machine does not fall on one pattern alone.
FULL = replace(
    QUICK, steps=10, step_seconds=0.1, workers=16, rate=8.0, warm_up=2.0, duration=15.0, rounds=2, poll_interval=0.3,
    deadline=30.0,
)  # fmt: skip


def plan(*, quick: bool, rate: float | None, duration: float | None, workers: int | None, seed: int) -> Plan:
    """The run that was asked for; without a rate, one that keeps the workers half busy.

    Raises `PlanError` when the workers could not keep up with the rate, or when there is no task to measure.
    """
    base = QUICK if quick else FULL
    chosen = replace(base, seed=seed, workers=workers or base.workers, duration=duration or base.duration)
    chosen = replace(chosen, rate=rate or _USUAL_UTILISATION * chosen.capacity)
    if chosen.utilisation > MOST_UTILISATION:
        most = MOST_UTILISATION * chosen.capacity
        raise PlanError(
            f"--rate {chosen.rate:g} is more than {chosen.workers} workers can keep up with: a task takes "
            f"{chosen.work:g} s, so offer at most {most:g} per second, or give more --workers."
        )
    if not round(chosen.rate * chosen.duration):
        raise PlanError(f"--rate {chosen.rate:g} for --duration {chosen.duration:g} s is not a single task.")
    return chosen
