"""Submits as fast as a few connections can: `python -m benchmarks.scale.hammer --port N …`.

A closed loop on purpose: it measures the throughput of submit, not latency. It runs in its own process and prints a
JSON object that includes its own CPU usage.
"""

import argparse
import json
import math
import selectors
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass

from benchmarks.scale.http_connection import BadAnswer, Connection, post

#: One of this many task ids is kept for later status requests.
_KEEP_ONE_OF = 50
#: Longer than any use of it here.
_MOST_SECONDS = 180.0


@dataclass(frozen=True)
class HammerResult:
    """The responses that a hammer received."""

    seconds: float
    statuses: dict[int, int]  # responses by status code
    cpu_share: float  # of one core, used by the hammer
    task_ids: list[str]

    @property
    def accepted_per_second(self) -> float:
        """The rate of 202 responses."""
        return self.statuses.get(202, 0) / self.seconds

    @property
    def others(self) -> int:
        """The number of responses other than 202."""
        return sum(count for status, count in self.statuses.items() if status != 202)


class HammerFailed(Exception):
    """The hammer failed. The message is one line."""


def run_hammer(
    port: int, body: str, connections: int, *, seconds: float | None = None, answers: int | None = None
) -> HammerResult:
    """Hammer from another process, for a time or a number of responses. Raises `HammerFailed`."""
    argv = [sys.executable, "-m", "benchmarks.scale.hammer", "--port", str(port), "--body", body]
    argv += ["--connections", str(connections)]
    argv += ["--seconds", str(seconds)] if seconds is not None else ["--answers", str(answers)]
    most = (seconds or 0) + _MOST_SECONDS
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=most)
    except subprocess.TimeoutExpired:
        raise HammerFailed(f"The hammer did not end within {most:g} s.") from None
    if done.returncode:
        raise HammerFailed((done.stderr.strip().splitlines() or ["The hammer failed without a message."])[-1])
    values = json.loads(done.stdout)
    values["statuses"] = {int(status): count for status, count in values["statuses"].items()}
    return HammerResult(**values)


def hammer(port: int, body: bytes, connections: int, *, seconds: float | None, answers: int | None) -> HammerResult:
    """Send `body` repeatedly over each connection, for a time or until `answers` requests were sent.

    Raises `BadAnswer`, `OSError`.
    """
    request = post("/agent/submit", body)
    statuses: Counter[int] = Counter()
    kept: list[bytes] = []
    most = sys.maxsize if answers is None else answers
    with selectors.DefaultSelector() as selector:
        idle = [Connection(port) for _ in range(min(connections, most))]
        cpu, begin = time.process_time(), time.perf_counter()
        end = math.inf if seconds is None else begin + seconds
        for connection in idle:
            selector.register(connection, selectors.EVENT_READ, connection)
            connection.send(request)
        sent = in_flight = len(idle)
        while in_flight:
            for key, _ in selector.select():
                connection = key.data
                if (answer := connection.receive()) is None:
                    continue
                statuses[answer.status] += 1
                if sent % _KEEP_ONE_OF == 0 and answer.status == 202:
                    kept.append(answer.body)
                if sent < most and time.perf_counter() < end:
                    connection.send(request)
                    sent += 1
                else:
                    selector.unregister(connection)
                    connection.close()
                    in_flight -= 1
        took, cpu = time.perf_counter() - begin, time.process_time() - cpu
    return HammerResult(took, dict(statuses), cpu / took, [task_id for task_id in map(_task_id, kept) if task_id])


def _task_id(body: bytes) -> str:
    answer = json.loads(body)
    return str(answer.get("task_id", "")) if isinstance(answer, dict) else ""


def main() -> None:
    """Hammer one server, for a time or a number of responses."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale.hammer", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--body", required=True, help="the JSON to submit")
    parser.add_argument("--connections", type=int, default=16)
    until = parser.add_mutually_exclusive_group(required=True)
    until.add_argument("--seconds", type=float)
    until.add_argument("--answers", type=int)
    args = parser.parse_args()

    try:
        result = hammer(args.port, args.body.encode(), args.connections, seconds=args.seconds, answers=args.answers)
    except (BadAnswer, OSError) as error:
        sys.exit(f"hammer: {error}")
    sys.stdout.write(json.dumps(asdict(result)) + "\n")


if __name__ == "__main__":
    main()
