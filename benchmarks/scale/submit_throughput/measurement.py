"""The submit throughput of one web process, compared with a server that does nothing.

Each round runs every target once, with new processes, in turn (A B C, A B C), so that a slow minute of the machine
does not affect a single target. Ratios are taken within a round; the median over rounds counts.
"""

from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from benchmarks.scale.hammer import run_hammer
from benchmarks.scale.submit_throughput.targets import TARGETS, Target
from benchmarks.scale.submit_throughput.web_server import web_server
from patterns.contract.settings import new_webhook_secret

#: A hammer that uses more of a core than this may be the bottleneck.
MOST_HAMMER_SHARE = 0.7
_WARM_UP_SECONDS = 1.0


@dataclass(frozen=True)
class ThroughputTrial:
    """One target in one round."""

    per_second: float
    not_accepted: int
    server_share: float  # of one core
    hammer_share: float

    @property
    def per_core_second(self) -> float:
        """Submits per CPU second of the server, which other programs hardly affect."""
        return self.per_second / self.server_share


Rounds = list[dict[str, ThroughputTrial]]


def run_trial(
    target: Target, *, seconds: float, connections: int, log: Path, warm_up: float = _WARM_UP_SECONDS
) -> ThroughputTrial:
    """Run one target with new processes: a warm-up, then `seconds` measured. Raises `ProcessFailed`, `CannotServe`."""
    env = {
        "KIT_AGENT": "simulated",
        "KIT_AGENT_BEHAVIOUR": "work",
        "KIT_AGENT_STEPS": "1",
        "KIT_AGENT_STEP_SECONDS": "600",  # no task ends during the trial
        "KIT_TASK_TIMEOUT_SECONDS": "3600",
        "KIT_QUEUE_SIZE": "10000000",  # no task is refused
        "KIT_GRACE_SECONDS": "0",
        "KIT_BROKER_URL": "",
        "KIT_WEBHOOK_SECRET": new_webhook_secret(),
        "KIT_WEBHOOK_ALLOW_PRIVATE": "1",
    }
    with web_server(target.arguments, env=env, needs_redis=target.needs_redis, log=log) as server:
        run_hammer(server.port, target.body, connections, seconds=warm_up)
        process = psutil.Process(server.child.pid)
        before = process.cpu_times()
        result = run_hammer(server.port, target.body, connections, seconds=seconds)
        after = process.cpu_times()
    used = (after.user - before.user) + (after.system - before.system)
    return ThroughputTrial(result.accepted_per_second, result.others, used / result.seconds, result.cpu_share)


def ratios(rounds: Rounds, target: Target, measure: str = "per_second") -> list[float]:
    """The ratio of a target to its reference, in each round."""
    if target.bound is None:
        return []
    against = target.bound.against
    return [getattr(trials[target.name], measure) / getattr(trials[against], measure) for trials in rounds]


def reached(rounds: Rounds, target: Target) -> bool:
    """Whether the median ratio reaches the target's bound; True without a bound."""
    return target.bound is None or median(ratios(rounds, target)) >= target.bound.at_least


def warnings(rounds: Rounds) -> list[str]:
    """Why the numbers may be less reliable than they look."""
    texts = []
    for target in TARGETS:
        if any(trials[target.name].not_accepted for trials in rounds):
            texts.append(f"{target.name} did not accept every submit; its throughput counts the accepted ones.")
        busy = median(trials[target.name].hammer_share for trials in rounds)
        if busy > MOST_HAMMER_SHARE:
            texts.append(f"{target.name}: the hammer used {busy:.0%} of a core and may be the bottleneck.")
    return texts
