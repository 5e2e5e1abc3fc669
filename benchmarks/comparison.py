"""Runs the trials: for each, the real servers of a pattern and a load process against them.

One pattern at a time has the machine. With several rounds the order is A B C, A B C.
"""

import os
import secrets
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import redis_version
from benchmarks.plan import Plan
from patterns.descriptor import Pattern
from patterns.processes import Child, Family, ProcessFailed
from patterns.serving import running
from patterns.settings import new_webhook_secret

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
#: Importing Locust takes about a second; a slow machine may need many.
_LOAD_START_SECONDS = 30.0
_LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Files:
    """What a run writes."""

    folder: Path

    @property
    def samples(self) -> Path:
        """A row for each task."""
        return self.folder / "samples.csv"

    @property
    def callbacks(self) -> Path:
        """A row for each callback."""
        return self.folder / "callbacks.csv"

    @property
    def summary(self) -> Path:
        """The figures, for programs."""
        return self.folder / "summary.json"

    def log(self, pattern: Pattern) -> Path:
        """What the servers and the load process of a pattern printed."""
        return self.folder / f"{pattern.name}.log"


@dataclass(frozen=True)
class Moment:
    """Where a run is, for whoever watches it."""

    trial: int
    of: int
    pattern: str
    doing: str


Watch = Callable[[Moment], None]


class Comparison:
    """The trials of one run."""

    def __init__(self, patterns: Sequence[Pattern], plan: Plan, files: Files, watch: Watch) -> None:
        self._plan = plan
        self._files = files
        self._watch = watch
        self._trials = [(number, pattern) for number in range(1, plan.rounds + 1) for pattern in patterns]
        self._secret = new_webhook_secret()
        #: The name and version of the Redis that was used, once one was.
        self.redis: str | None = None

    @property
    def trials(self) -> int:
        """How many there are."""
        return len(self._trials)

    def run(self) -> None:
        """Run them all. Raises `ProcessFailed`, `CannotServe`, `SettingsError`; nothing is left running."""
        for at, (number, pattern) in enumerate(self._trials, start=1):
            self._run_one(at, number, pattern)

    def _run_one(self, at: int, number: int, pattern: Pattern) -> None:
        def tell(doing: str) -> None:
            self._watch(Moment(at, self.trials, pattern.name, doing))

        tell("starting the servers")
        env = self._plan.server_environment(f"kit-bench-{secrets.token_hex(4)}:", self._secret)
        log = self._files.log(pattern)
        with running(pattern, env=env, log=log) as served:
            if served.redis_url and "redis" in pattern.needs:
                self.redis = redis_version(served.redis_url)
            load = start_load(
                served.family,
                served.url,
                self._secret,
                [
                    *self._plan.load_options(number),
                    *("--samples", str(self._files.samples), "--callbacks", str(self._files.callbacks)),
                ],
            )
            tell(f"offering {self._plan.rate:g} tasks/s")
            wait_for_load(load, self._plan.longest_load_seconds + _LOAD_START_SECONDS, log)
            tell("stopping the servers")


def start_load(family: Family, url: str, secret: str, options: Sequence[str]) -> Child:
    """Start Locust in a process of its own, as a member of the family, so that it ends with it."""
    # Locust would take LOCUST_… from the environment as options that were not asked for here.
    env = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    argv = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--host", url, "--headless", "--only-summary"]
    argv += ["-u", "0", "-r", "1", *options]
    return family.start("load process", argv, {**env, "KIT_WEBHOOK_SECRET": secret})


def wait_for_load(load: Child, seconds: float, log: Path) -> None:
    """Return when the load process has seen every task to its outcome.

    Raises `ProcessFailed` when it could not, or takes longer than it ever should.
    """
    deadline = time.monotonic() + seconds
    while load.exit_code is None:
        if time.monotonic() > deadline:
            raise ProcessFailed(f"The load process was not done after {seconds:g} s. Its log is {log}")
        time.sleep(_LOOK_SECONDS)
    if load.exit_code != 0:
        raise ProcessFailed(f"The load process ended with exit code {load.exit_code}: {_complaint(log)}")


def _complaint(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    errors = [line.partition("/ERROR/kit: ")[2] for line in lines if "/ERROR/kit: " in line]
    return errors[-1] if errors else f"its log is {log}"
