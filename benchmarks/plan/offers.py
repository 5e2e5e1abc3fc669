"""The offered load of a trial, and the trials that run on the same servers."""

from dataclasses import dataclass

from benchmarks.records.run import Mode, Trial


@dataclass(frozen=True)
class Offer:
    """The offered load of one trial. Rates are in tasks per second, times in seconds."""

    mode: Mode
    rate: float
    warm_up: float
    duration: float
    burst: int = 0  # tasks at once, instead of `duration`
    warm_up_rate: float | None = None
    recovery: float = 0.0
    recovery_rate: float = 0.0

    @property
    def count(self) -> int:
        """How many tasks are measured."""
        return self.burst or round(self.rate * self.duration)

    @property
    def seconds(self) -> float:
        """Seconds from the first task to the last."""
        return self.warm_up + (0 if self.burst else self.duration) + self.recovery

    def options(self) -> list[str]:
        """The options of the load process."""
        options = {
            "--rate": self.rate,
            "--warm-up": self.warm_up,
            "--duration": self.duration,
            "--burst": self.burst,
            "--recovery": self.recovery,
            "--recovery-rate": self.recovery_rate,
            "--warm-up-rate": self.rate if self.warm_up_rate is None else self.warm_up_rate,
        }
        return [part for name, value in options.items() for part in (name, str(value))]


@dataclass(frozen=True)
class Visit:
    """Newly started servers of one contender, and the trials that run on them in turn."""

    round: int
    contender: str
    queue_size: int
    trials: tuple[tuple[Trial, Offer], ...]
