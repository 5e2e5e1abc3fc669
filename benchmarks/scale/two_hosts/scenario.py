"""Two hosts played on this machine: a web part and a worker part on each, one Redis for all, and a cut in between.

`python -m benchmarks.scale.two_hosts` starts the four `kit serve celery_queue --role …` as the README says, each host
with its own address and a link to Redis that can be cut. Tasks are submitted on one host and asked for on the
other; then one host is cut off for some seconds, and healed. It prints what happened, and a verdict; the exit code
is 0 if nothing was lost and every task finished once.

With KIT_BROKER_URL set to an amqp:// URL the messages go through that RabbitMQ, and its links are cut too.
"""

import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import redis

from benchmarks.scale.two_hosts.finish_counter import FinishCounter
from benchmarks.scale.two_hosts.host import Host, start_host
from patterns.contract import FINISHED
from patterns.serving.processes import Family, ProcessFailed
from patterns.serving.redis_server import start_redis
from patterns.serving.waiting import until

_PATIENCE_SECONDS = 90.0
#: What submit has to answer within, whatever is cut: the contract itself.
_SUBMIT_SECONDS = 3.0

Say = Callable[[str], None]


class ScenarioFailed(Exception):
    """A task was lost, or a host did not answer as it must. The message says which."""


def play(tasks: int, cut_seconds: float, say: Say) -> None:
    """Play it, and say what happens. Raises `ScenarioFailed`, and `ProcessFailed` if a part does not come up."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kit-hosts-")))
        family = stack.enter_context(Family(folder / "log"))
        shared = start_redis(family)
        stack.callback(family.stop, 15)  # what `kit serve` runs is stopped by it, which takes its time
        finishes = FinishCounter(shared.url, "kit:finished")
        stack.callback(finishes.close)
        broker_url = os.environ.get("KIT_BROKER_URL", "")
        try:
            first, second = [start_host(name, shared.url, broker_url, family, stack) for name in ("A", "B")]
            _until(lambda: first.health() and second.health(), "the web parts do not answer")
            with redis.Redis.from_url(shared.url) as records:
                _until(lambda: records.zcard("kit:workers") == 2, "the two workers send no heartbeat")
        except ScenarioFailed as error:
            raise ProcessFailed(f"{error}: {_last_line(folder / 'log')}") from None
        say("two hosts are up, each with a web part and a worker part; they share one Redis")
        _each_knows_the_others(first, second, tasks // 2, say)
        _cut_off(second, first, cut_seconds, say)
        _until(lambda: second.health() == 200, "host B does not become healthy again")
        if "Started again" in (folder / "log").read_text(errors="replace"):
            raise ScenarioFailed("a process ended, and was started again")
        say("host B is healthy again, and no process had to be started again")
        nothing_is_lost(first, second, finishes, say)


def _each_knows_the_others(first: Host, second: Host, each: int, say: Say) -> None:
    """Submit on both hosts, and ask each for what the other took."""
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda host: host.submit().status_code, [first, second] * each))
    if set(answers) != {202}:
        raise ScenarioFailed(f"submit answered {sorted(set(answers))}")
    say(f"{each} tasks are accepted on host A, and {each} on host B")
    for asked, other in ((first, second), (second, first)):
        unknown = [task_id for task_id in other.accepted if asked.status(task_id).status_code != 200]
        if unknown:
            raise ScenarioFailed(
                f"host {asked.name} does not know {len(unknown)} of the tasks that host {other.name} took"
            )
    say("each host knows the tasks of the other")


def _cut_off(lost: Host, other: Host, seconds: float, say: Say) -> None:
    """Cut one host off while its worker has tasks in hand, look at both, and heal it."""
    _until(lambda: sum(_has_finished(other, task_id) for task_id in other.accepted) >= 3, "no task finishes")
    for link in lost.links:
        link.cut()
    cut_at = time.monotonic()
    say(f"host {lost.name} is cut off from what both share, in the middle of its tasks")
    status = lost.submit().status_code
    took = time.monotonic() - cut_at
    if status != 503 or took > _SUBMIT_SECONDS:
        raise ScenarioFailed(f"cut off, host {lost.name} answered submit with {status} after {took:.1f} s")
    say(f"host {lost.name} answers submit with 503 after {took:.1f} s, and /health with {lost.health()}")
    before = sum(_has_finished(other, task_id) for task_id in other.accepted)
    if (status := other.submit().status_code) != 202:
        raise ScenarioFailed(f"host {other.name} answered submit with {status} while the other was cut off")
    new = other.accepted[-1]
    _until(lambda: _has_finished(other, new), f"host {other.name} does not finish what it takes")
    after = sum(_has_finished(other, task_id) for task_id in other.accepted)
    say(f"host {other.name} takes a task and goes on: {after - before} more of its tasks are done")
    time.sleep(max(0.0, cut_at + seconds - time.monotonic()))
    for link in lost.links:
        link.heal()
    say(f"host {lost.name} is healed, {time.monotonic() - cut_at:.1f} s after it was cut off")


def nothing_is_lost(
    first: Host, second: Host, finishes: FinishCounter, say: Say, within: float = _PATIENCE_SECONDS
) -> None:
    """Wait for every accepted task, and compare what both hosts and their Redis say of it. Raises `ScenarioFailed`."""
    accepted = [*first.accepted, *second.accepted]
    _until(lambda: all(_has_finished(first, task_id) for task_id in accepted), "not every task finishes", within)
    on_first = [first.status(task_id).json() for task_id in accepted]
    on_second = [second.status(task_id).json() for task_id in accepted]
    ended = Counter(task["status"] for task in on_first)
    say(f"of {len(accepted)} accepted tasks " + ", ".join(f"{number} are {status}" for status, number in ended.items()))
    if ended["completed"] != len(accepted):
        raise ScenarioFailed(f"{len(accepted) - ended['completed']} of {len(accepted)} tasks are not completed")
    if on_first != on_second:
        raise ScenarioFailed("the two hosts do not say the same of a task")
    # The last finishes may not have been announced yet.
    with suppress(ScenarioFailed):
        _until(lambda: all(finishes.count[task_id] for task_id in accepted), "not every finish was announced", within)
    often = Counter(finishes.count[task_id] for task_id in accepted)
    if set(often) != {1}:
        raise ScenarioFailed(
            "; ".join(f"{number} tasks finished {times} times" for times, number in sorted(often.items()))
        )
    say("both hosts say the same of each, and each finished once")


def _has_finished(host: Host, task_id: str) -> bool:
    answer = host.status(task_id)
    return answer.status_code == 200 and answer.json()["status"] in FINISHED


def _until(is_so: Callable[[], object], otherwise: str, within: float = _PATIENCE_SECONDS) -> None:
    if not until(is_so, within):
        raise ScenarioFailed(f"{otherwise} within {within:g} s")


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "their log is empty"
