"""Runs the trials: for each visit, the real servers of one contender and a load process against them."""

import os
import secrets
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.load.environment import redis_version
from benchmarks.load.machine_watch import MachineWatch
from benchmarks.load.process.load_report import read_load_report
from benchmarks.load.process_watch import ProcessWatch
from benchmarks.plan.contenders import Contender
from benchmarks.plan.offers import Offer, Visit
from benchmarks.plan.run_plan import RunPlan
from benchmarks.records.run import RunFolder, Trial
from patterns.contract.settings import new_webhook_secret
from patterns.serving.processes import Child, Family, ProcessFailed
from patterns.serving.running import running
from patterns.serving.waiting import until

LOCUSTFILE = Path(__file__).parents[1] / "locustfile.py"
#: Importing Locust takes about a second, on a slow machine much longer.
_LOAD_START_SECONDS = 30.0
_POLL_SECONDS = 0.05
_LOAD = "load process"
_INTERRUPTED = "it was interrupted"


@dataclass(frozen=True)
class TrialProgress:
    """The current visit, counted from 1, and its current step."""

    visit: int
    contender: str
    step: str


OnProgress = Callable[[TrialProgress], None]


class TrialRunner:
    """Runs the trials of one run. `trials` holds the finished ones in order, also after an interrupt."""

    def __init__(
        self,
        contenders: Sequence[Contender],
        plan: RunPlan,
        folder: RunFolder,
        on_progress: OnProgress,
        load_processes: int = 1,
    ) -> None:
        self._contenders = {contender.name: contender for contender in contenders}
        self._plan = plan
        self._folder = folder
        self._on_progress = on_progress
        self._load_processes = load_processes
        self._secret = os.environ.get("KIT_WEBHOOK_SECRET") or new_webhook_secret()
        self.trials: list[Trial] = []
        #: The name and version of the Redis server, once one was used.
        self.redis: str | None = None

    def run(self, visits: Sequence[Visit]) -> None:
        """Run all visits and leave nothing running. Raises `ProcessFailed`, `CannotServe`, `SettingsError`."""
        for number, visit in enumerate(visits, start=1):
            self._visit(number, visit)

    def _visit(self, number: int, visit: Visit) -> None:
        def say(step: str) -> None:
            self._on_progress(TrialProgress(number, visit.contender, step))

        contender = self._contenders[visit.contender]
        if contender.url:
            with Family(self._folder.log(contender.name)) as family:
                for trial, offer in visit.trials:
                    say(_description(offer))
                    load = self._start(contender, family, contender.url, trial, offer)
                    self.trials.append(self._trial(contender, family, load, trial, offer))
            return
        say("starting the servers")
        env = self._plan.server_environment(f"kit-bench-{secrets.token_hex(4)}:", self._secret, visit.queue_size)
        loads: list[Child] = []

        def start_first(family: Family, url: str) -> None:
            # Locust is imported while the servers start.
            loads.append(self._start(contender, family, url, *visit.trials[0]))

        env, log = {**env, **contender.env}, self._folder.log(contender.name)
        with running(contender.pattern, env=env, log=log, meanwhile=start_first) as served:
            if served.redis_url and "redis" in contender.pattern.needs and self.redis is None:
                self.redis = redis_version(served.redis_url)
            for trial, offer in visit.trials:
                say(_description(offer))
                load = loads.pop() if loads else self._start(contender, served.family, served.url, trial, offer)
                self.trials.append(self._trial(contender, served.family, load, trial, offer))
            say("stopping the servers")

    def _start(self, contender: Contender, family: Family, url: str, trial: Trial, offer: Offer) -> Child:
        options = [
            *self._plan.load_options(trial, offer),
            *("--as", contender.name, "--learns-by", contender.learns_by.name),
            *("--samples", str(self._folder.samples), "--callbacks", str(self._folder.callbacks)),
            *("--report", str(self._load_report)),
        ]
        return start_load(family, url, self._secret, options, self._load_processes)

    @property
    def _load_report(self) -> Path:
        return self._folder.path / "load.json"

    def _trial(self, contender: Contender, family: Family, load: Child, trial: Trial, offer: Offer) -> Trial:
        log = self._folder.log(contender.name)
        began = time.time()
        self.trials.append(replace(trial, began=began, ended=time.time(), failure=_INTERRUPTED))
        with MachineWatch() as machine, ProcessWatch(_roles(family)) as processes:
            wait_for_load(load, self._plan.longest_load_seconds(offer) + _LOAD_START_SECONDS, log)
        self.trials.pop()
        family.children.remove(load)
        report = read_load_report(self._load_report)
        self._load_report.unlink(missing_ok=True)
        # Servers that this run did not start would count as other programs.
        use = None if contender.url else machine.use()
        return replace(trial, began=began, ended=time.time(), load=report, usage=processes.usage(), machine=use)


def _description(offer: Offer) -> str:
    return f"{offer.mode}, " + (f"{offer.burst} tasks at once" if offer.burst else f"{offer.rate:g} tasks/s")


def _roles(family: Family) -> dict[str, list[int]]:
    roles: dict[str, list[int]] = {}
    for child in family.children:
        if child.name != _LOAD:
            roles.setdefault(child.name, []).append(child.pid)
    return roles


def start_load(family: Family, url: str, secret: str, options: Sequence[str], processes: int = 1) -> Child:
    """Start Locust in its own process, as a member of the family, so that it ends with it.

    With more than one of `processes`, it is Locust's master and starts as many workers.
    """
    # Locust would read LOCUST_… variables as options.
    env = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    argv = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--host", url, "--headless", "--only-summary"]
    argv += ["-u", "0", "-r", "1", *options, *(["--processes", str(processes)] if processes > 1 else [])]
    return family.start(_LOAD, argv, {**env, "KIT_WEBHOOK_SECRET": secret})


def wait_for_load(load: Child, seconds: float, log: Path) -> None:
    """Wait until every task of the load process has its outcome.

    Raises `ProcessFailed` if the process fails or takes longer than `seconds`.
    """
    if not until(lambda: load.exit_code is not None, seconds):
        raise ProcessFailed(f"The load process did not end within {seconds:g} s. Its log is {log}")
    if load.exit_code != 0:
        raise ProcessFailed(f"The load process ended with exit code {load.exit_code}: {_last_error(log)}")


def _last_error(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    errors = [line.partition("/ERROR/kit: ")[2] for line in lines if "/ERROR/kit: " in line]
    return errors[-1] if errors else f"its log is {log}"
