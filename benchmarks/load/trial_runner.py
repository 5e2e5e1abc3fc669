"""Runs the trials: for each visit the real servers of a contender, and a load process against them.

One contender at a time has the machine.
"""

import os
import secrets
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.load.environment import redis_version
from benchmarks.load.machine_watch import MachineWatch
from benchmarks.load.process.load_report import read_report
from benchmarks.load.process_watch import ProcessWatch
from benchmarks.plan.contenders import Contender
from benchmarks.plan.run_plan import Offer, Plan, Visit
from benchmarks.records.run import RunFolder, Trial
from patterns.contract.settings import new_webhook_secret
from patterns.serving.processes import Child, Family, ProcessFailed
from patterns.serving.running import running

LOCUSTFILE = Path(__file__).parents[1] / "locustfile.py"
#: Importing Locust takes about a second; a slow machine may need many.
_LOAD_START_SECONDS = 30.0
_LOOK_SECONDS = 0.05
_LOAD = "load process"
_STOPPED = "it was stopped before its end"


@dataclass(frozen=True)
class TrialProgress:
    """Where a run is, for whoever watches it."""

    visit: int
    contender: str
    doing: str


OnProgress = Callable[[TrialProgress], None]


class TrialRunner:
    """The trials of one run. `trials` has those that were made, in order, whatever became of the run."""

    def __init__(
        self, entrants: Sequence[Contender], plan: Plan, files: RunFolder, watch: OnProgress, load_processes: int = 1
    ) -> None:
        self._entrants = {entrant.name: entrant for entrant in entrants}
        self._plan = plan
        self._files = files
        self._watch = watch
        self._load_processes = load_processes
        self._secret = os.environ.get("KIT_WEBHOOK_SECRET") or new_webhook_secret()
        self.trials: list[Trial] = []
        #: The name and version of the Redis that was used, once one was.
        self.redis: str | None = None

    def run(self, visits: Sequence[Visit]) -> None:
        """Run them all. Raises `ProcessFailed`, `CannotServe`, `SettingsError`; nothing is left running."""
        for at, visit in enumerate(visits, start=1):
            self._visit(at, visit)

    def _visit(self, at: int, visit: Visit) -> None:
        def tell(doing: str) -> None:
            self._watch(TrialProgress(at, visit.contender, doing))

        entrant = self._entrants[visit.contender]
        if entrant.url:
            with Family(self._files.log(entrant.name)) as family:
                for trial, offer in visit.trials:
                    tell(_what(offer))
                    load = self._start(entrant, family, entrant.url, trial, offer)
                    self.trials.append(self._trial(entrant, family, load, trial, offer))
            return
        tell("starting the servers")
        env = self._plan.server_environment(f"kit-bench-{secrets.token_hex(4)}:", self._secret, visit.queue_size)
        loads: list[Child] = []

        def start_first(family: Family, url: str) -> None:
            # Locust imports for as long as the servers start.
            loads.append(self._start(entrant, family, url, *visit.trials[0]))

        everything = {**env, **entrant.env}
        log = self._files.log(entrant.name)
        with running(entrant.pattern, env=everything, log=log, meanwhile=start_first) as served:
            if served.redis_url and "redis" in entrant.pattern.needs and self.redis is None:
                self.redis = redis_version(served.redis_url)
            for trial, offer in visit.trials:
                tell(_what(offer))
                load = loads.pop() if loads else self._start(entrant, served.family, served.url, trial, offer)
                self.trials.append(self._trial(entrant, served.family, load, trial, offer))
            tell("stopping the servers")

    def _start(self, entrant: Contender, family: Family, url: str, trial: Trial, offer: Offer) -> Child:
        options = [
            *self._plan.load_options(trial, offer),
            *("--as", entrant.name, "--learns-by", entrant.learns_by.name),
            *("--samples", str(self._files.samples), "--callbacks", str(self._files.callbacks)),
            *("--report", str(self._report)),
        ]
        return start_load(family, url, self._secret, options, self._load_processes)

    @property
    def _report(self) -> Path:
        return self._files.path / "load.json"

    def _trial(self, entrant: Contender, family: Family, load: Child, trial: Trial, offer: Offer) -> Trial:
        log = self._files.log(entrant.name)
        began = time.time()
        self.trials.append(replace(trial, began=began, ended=time.time(), failure=_STOPPED))
        with MachineWatch() as machine, ProcessWatch(_roles(family)) as watch:
            wait_for_load(load, self._plan.longest_load_seconds(offer) + _LOAD_START_SECONDS, log)
        self.trials.pop()
        family.children.remove(load)
        found = read_report(self._report)
        self._report.unlink(missing_ok=True)
        # Servers that somebody else has started look like other programs from here.
        use = None if entrant.url else machine.use()
        return replace(trial, began=began, ended=time.time(), load=found, usage=watch.usage(), machine=use)


def _what(offer: Offer) -> str:
    return f"{offer.mode}, " + (f"{offer.burst} tasks at once" if offer.burst else f"{offer.rate:g} tasks/s")


def _roles(family: Family) -> dict[str, list[int]]:
    roles: dict[str, list[int]] = {}
    for child in family.children:
        if child.name == _LOAD:
            continue
        roles.setdefault(child.name, []).append(child.pid)
    return roles


def start_load(family: Family, url: str, secret: str, options: Sequence[str], processes: int = 1) -> Child:
    """Start Locust in a process of its own, as a member of the family, so that it ends with it.

    With more `processes` it is Locust's master, and starts as many workers.
    """
    # Locust would take LOCUST_… from the environment as options that were not asked for here.
    env = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    argv = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--host", url, "--headless", "--only-summary"]
    argv += ["-u", "0", "-r", "1", *options, *(["--processes", str(processes)] if processes > 1 else [])]
    return family.start(_LOAD, argv, {**env, "KIT_WEBHOOK_SECRET": secret})


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
