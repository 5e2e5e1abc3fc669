"""Two hosts played on this machine: a web part and a worker part on each, one Redis for all, and a cut in between.

`python -m benchmarks.scale.two_hosts` starts the four `kit serve celery_queue --role …` as the README says, each host
with an address of its own and a link to Redis that can be cut. Tasks are submitted on one host and asked for on the
other; then one host is cut off for some seconds, and healed. It prints what happened, and a verdict; the exit code
is 0 if nothing was lost and every task finished once.

With KIT_BROKER_URL set to an amqp:// URL the messages go through that RabbitMQ, and its links are cut too.
"""

import os
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import redis

from benchmarks.scale.two_hosts.link import Link
from patterns.serving.processes import Child, Family, ProcessFailed
from patterns.serving.redis_server import free_port, start_redis

_PATIENCE_SECONDS = 90.0
#: What submit has to answer within, whatever is cut: the contract itself.
_SUBMIT_SECONDS = 3.0
_FINISHED = {"completed", "failed", "cancelled"}

Say = Callable[[str], None]


class ScenarioFailed(Exception):
    """Something is not as it must be. The message says what."""


@dataclass
class Host:
    """One host: its web server, its parts, and its links to what all share."""

    name: str
    url: str
    links: list[Link]
    parts: list[Child]
    accepted: list[str] = field(default_factory=list)

    def submit(self) -> httpx.Response:
        """Hand a task over here."""
        answer = httpx.post(f"{self.url}/agent/submit", json={"prompt": "work"}, timeout=20, trust_env=False)
        if answer.status_code == 202:
            self.accepted.append(answer.json()["task_id"])
        return answer

    def status(self, task_id: str) -> httpx.Response:
        """Ask for a task here."""
        return httpx.get(f"{self.url}/agent/status/{task_id}", timeout=20, trust_env=False)

    def health(self) -> int | None:
        """What it says of itself; None when nobody answers."""
        try:
            return httpx.get(f"{self.url}/health", timeout=20, trust_env=False).status_code
        except httpx.TransportError:
            return None


class FinishCounter:
    """Counts how often each task is said to have finished, by those who share the Redis."""

    def __init__(self, url: str, channel: str) -> None:
        self.count: Counter[str] = Counter()
        self._ends = threading.Event()
        client: Any = redis.Redis.from_url(url, decode_responses=True)
        self._client = client  # when nobody has it any more, it closes the subscription's connection
        self._subscription = client.pubsub(ignore_subscribe_messages=True)
        self._subscription.subscribe(channel)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Count no more."""
        self._ends.set()
        self._thread.join()
        self._subscription.close()
        self._client.close()

    def _listen(self) -> None:
        while not self._ends.is_set():
            if message := self._subscription.get_message(timeout=0.2):
                self.count[message["data"]] += 1


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
            first, second = [_host(name, shared.url, broker_url, family, stack) for name in ("A", "B")]
            _until(lambda: first.health() and second.health(), "the web parts do not answer")
            with redis.Redis.from_url(shared.url) as records:
                _until(lambda: records.zcard("kit:workers") == 2, "the two workers do not tell that they live")
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


def _host(name: str, redis_url: str, broker_url: str, family: Family, stack: ExitStack) -> Host:
    address = _address_of(name)
    links, env = [], {**os.environ, "KIT_AGENT_STEPS": "10", "KIT_AGENT_STEP_SECONDS": "0.1", "KIT_WORKERS": "3"}
    env |= {"KIT_KEY_PREFIX": "kit:", "KIT_GRACE_SECONDS": "1", "KIT_TASK_TIMEOUT_SECONDS": "60"}
    for variable, url in (("REDIS_URL", redis_url), ("KIT_BROKER_URL", broker_url)):
        if url:
            parts = urlsplit(url)
            assert parts.hostname, f"{variable} names no host"  # noqa: S101 the settings have looked at it
            link = stack.enter_context(Link((parts.hostname, parts.port or 5672), address))
            links.append(link)
            credentials = parts.netloc.rpartition("@")[0]
            env[variable] = parts._replace(netloc=f"{credentials}@{link.host}:{link.port}").geturl()
    port = free_port()
    serve = [sys.executable, "-m", "kit", "serve", "celery_queue", "--role"]
    web = family.start(f"web part of host {name}", [*serve, "web", "--host", address, "--port", str(port)], env)
    worker = family.start(f"worker part of host {name}", [*serve, "worker"], env)
    return Host(name, f"http://{address}:{port}", links, [web, worker])


def _address_of(name: str) -> str:
    """An address of loopback for each host, where the system has more than one (Linux)."""
    address = {"A": "127.0.0.2", "B": "127.0.0.3"}[name]
    try:
        socket.create_server((address, 0)).close()
    except OSError:
        return "127.0.0.1"
    return address


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
    _until(lambda: sum(_is_finished(other, task_id) for task_id in other.accepted) >= 3, "no task finishes")
    for link in lost.links:
        link.cut()
    cut_at = time.monotonic()
    say(f"host {lost.name} is cut off from what both share, in the middle of its tasks")
    status = lost.submit().status_code
    took = time.monotonic() - cut_at
    if status != 503 or took > _SUBMIT_SECONDS:
        raise ScenarioFailed(f"cut off, host {lost.name} answered submit with {status} after {took:.1f} s")
    say(f"host {lost.name} answers submit with 503 after {took:.1f} s, and /health with {lost.health()}")
    before = sum(_is_finished(other, task_id) for task_id in other.accepted)
    if (status := other.submit().status_code) != 202:
        raise ScenarioFailed(f"host {other.name} answered submit with {status} while the other was cut off")
    new = other.accepted[-1]
    _until(lambda: _is_finished(other, new), f"host {other.name} does not finish what it takes")
    after = sum(_is_finished(other, task_id) for task_id in other.accepted)
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
    _until(lambda: all(_is_finished(first, task_id) for task_id in accepted), "not every task finishes", within)
    on_first = [first.status(task_id).json() for task_id in accepted]
    on_second = [second.status(task_id).json() for task_id in accepted]
    ended = Counter(task["status"] for task in on_first)
    say(f"of {len(accepted)} accepted tasks " + ", ".join(f"{number} are {status}" for status, number in ended.items()))
    if ended["completed"] != len(accepted):
        raise ScenarioFailed(f"{len(accepted) - ended['completed']} of {len(accepted)} tasks are not completed")
    if on_first != on_second:
        raise ScenarioFailed("the two hosts do not say the same of a task")
    # Those that finished last may not have been heard of yet.
    with suppress(ScenarioFailed):
        _until(lambda: all(finishes.count[task_id] for task_id in accepted), "not every finish was announced", within)
    often = Counter(finishes.count[task_id] for task_id in accepted)
    if set(often) != {1}:
        raise ScenarioFailed(
            "; ".join(f"{number} tasks finished {times} times" for times, number in sorted(often.items()))
        )
    say("both hosts say the same of each, and each finished once")


def _is_finished(host: Host, task_id: str) -> bool:
    answer = host.status(task_id)
    return answer.status_code == 200 and answer.json()["status"] in _FINISHED


def _until(is_so: Callable[[], object], otherwise: str, within: float = _PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + within
    while not is_so():
        if time.monotonic() > deadline:
            raise ScenarioFailed(f"{otherwise} within {within:g} s")
        time.sleep(0.05)


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "they said nothing"
