"""Two simulated hosts on this machine, each with a web server and a worker, and one Redis for both.

`python -m benchmarks.scale.two_hosts` starts the four `kit serve celery_queue --role …` as in the README. Each host
has its own address and a link to Redis that can be cut. Tasks are submitted to one host and requested from the other;
then one host is disconnected for some seconds. The exit code is 0 if no task was lost and each finished exactly once.

If KIT_BROKER_URL is an amqp:// URL, messages go through that RabbitMQ, and its links are cut too.
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

_WAIT_SECONDS = 90.0
#: The contract's limit for a response to submit, also while a link is cut.
_SUBMIT_SECONDS = 3.0

Say = Callable[[str], None]


class ScenarioFailed(Exception):
    """A task was lost, or a host responded wrongly. The message says which."""


def play(tasks: int, cut_seconds: float, say: Say) -> None:
    """Run and report the scenario. Raises `ScenarioFailed`, and `ProcessFailed` if a process does not start."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kit-hosts-")))
        family = stack.enter_context(Family(folder / "log"))
        shared = start_redis(family)
        stack.callback(family.stop, 15)  # `kit serve` needs time to stop its own processes
        finishes = FinishCounter(shared.url, "kit:finished")
        stack.callback(finishes.close)
        broker_url = os.environ.get("KIT_BROKER_URL", "")
        try:
            first, second = [start_host(name, shared.url, broker_url, family, stack) for name in ("A", "B")]
            _until(lambda: first.health() and second.health(), "the web servers did not respond")
            with redis.Redis.from_url(shared.url) as records:
                _until(lambda: records.zcard("kit:workers") == 2, "the two workers sent no heartbeat")
        except ScenarioFailed as error:
            raise ProcessFailed(f"{error}: {_last_line(folder / 'log')}") from None
        say("two hosts are up, each with a web server and a worker; they share one Redis")
        _each_knows_the_others(first, second, tasks // 2, say)
        _disconnect(second, first, cut_seconds, say)
        _until(lambda: second.health() == 200, "host B did not become healthy again")
        if "Started again" in (folder / "log").read_text(errors="replace"):
            raise ScenarioFailed("a process ended and was restarted")
        say("host B is healthy again, and no process was restarted")
        nothing_is_lost(first, second, finishes, say)


def _each_knows_the_others(first: Host, second: Host, each: int, say: Say) -> None:
    """Submit to both hosts, and request from each the tasks of the other."""
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda host: host.submit().status_code, [first, second] * each))
    if set(answers) != {202}:
        raise ScenarioFailed(f"submit responded with {sorted(set(answers))}")
    say(f"{each} tasks are accepted by host A, and {each} by host B")
    for host, other in ((first, second), (second, first)):
        unknown = [task_id for task_id in other.accepted if host.status(task_id).status_code != 200]
        if unknown:
            raise ScenarioFailed(
                f"host {host.name} does not know {len(unknown)} of the tasks that host {other.name} accepted"
            )
    say("each host knows the tasks of the other")


def _disconnect(lost: Host, other: Host, seconds: float, say: Say) -> None:
    """Disconnect one host while its worker runs tasks, check both hosts, and reconnect it."""
    _until(lambda: sum(_has_finished(other, task_id) for task_id in other.accepted) >= 3, "no task finished")
    for link in lost.links:
        link.cut()
    cut_at = time.monotonic()
    say(f"host {lost.name} is disconnected while its worker runs tasks")
    status = lost.submit().status_code
    took = time.monotonic() - cut_at
    if status != 503 or took > _SUBMIT_SECONDS:
        raise ScenarioFailed(f"disconnected host {lost.name} responded to submit with {status} after {took:.1f} s")
    say(f"host {lost.name} responds to submit with 503 after {took:.1f} s, and to /health with {lost.health()}")
    before = sum(_has_finished(other, task_id) for task_id in other.accepted)
    if (status := other.submit().status_code) != 202:
        raise ScenarioFailed(f"host {other.name} responded to submit with {status} while the other was disconnected")
    new = other.accepted[-1]
    _until(lambda: _has_finished(other, new), f"host {other.name} did not finish a task that it accepted")
    after = sum(_has_finished(other, task_id) for task_id in other.accepted)
    say(f"host {other.name} accepts a task and keeps working: {after - before} more of its tasks have finished")
    time.sleep(max(0.0, cut_at + seconds - time.monotonic()))
    for link in lost.links:
        link.heal()
    say(f"host {lost.name} is reconnected after {time.monotonic() - cut_at:.1f} s")


def nothing_is_lost(
    first: Host, second: Host, finishes: FinishCounter, say: Say, within: float = _WAIT_SECONDS
) -> None:
    """Wait for every accepted task, and check that both hosts and Redis agree on it. Raises `ScenarioFailed`."""
    accepted = [*first.accepted, *second.accepted]
    _until(lambda: all(_has_finished(first, task_id) for task_id in accepted), "not every task finished", within)
    on_first = [first.status(task_id).json() for task_id in accepted]
    on_second = [second.status(task_id).json() for task_id in accepted]
    ended = Counter(task["status"] for task in on_first)
    say(f"of {len(accepted)} accepted tasks " + ", ".join(f"{number} are {status}" for status, number in ended.items()))
    if ended["completed"] != len(accepted):
        raise ScenarioFailed(f"{len(accepted) - ended['completed']} of {len(accepted)} tasks are not completed")
    if on_first != on_second:
        raise ScenarioFailed("the two hosts disagree about a task")
    # The last finishes may not have been published yet.
    with suppress(ScenarioFailed):
        _until(lambda: all(finishes.count[task_id] for task_id in accepted), "not every finish was published", within)
    finish_counts = Counter(finishes.count[task_id] for task_id in accepted)
    if set(finish_counts) != {1}:
        raise ScenarioFailed(
            "; ".join(f"{number} tasks finished {times} times" for times, number in sorted(finish_counts.items()))
        )
    say("both hosts agree on every task, and each finished exactly once")


def _has_finished(host: Host, task_id: str) -> bool:
    answer = host.status(task_id)
    return answer.status_code == 200 and answer.json()["status"] in FINISHED


def _until(condition: Callable[[], object], failure: str, within: float = _WAIT_SECONDS) -> None:
    if not until(condition, within):
        raise ScenarioFailed(f"{failure} within {within:g} s")


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "their log is empty"
