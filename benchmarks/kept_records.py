"""What many finished records cost a server that keeps them in memory: `python -m benchmarks.kept_records`.

Two real `in_memory_queue` servers, filled over HTTP with an agent that is done at once: one keeps few records,
one keeps many. Status requests go to both in turn, so that a slow moment of the machine falls on both.
"""

import json
import random
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Annotated

import psutil
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.hammer import HammerFailed, run_hammer
from benchmarks.http1 import Answer, BadAnswer, Connection, get, post
from benchmarks.machine import machine
from patterns import IN_MEMORY_QUEUE
from patterns.processes import ProcessFailed
from patterns.serving import CannotServe, running
from patterns.settings import SettingsError
from patterns.terminal import give_up

#: Status may be this much slower with many records than with few.
MOST_RATIO = 1.10
#: A kept record may take this much memory.
MOST_BYTES = 1536
_CONNECTIONS = 16
_SUBMIT = json.dumps({"prompt": "Compare the three vendors in this contract."})
_SETTLE_SECONDS = 30.0
_ENV: Mapping[str, str] = {
    "KIT_AGENT": "simulated",
    "KIT_AGENT_BEHAVIOUR": "work",
    "KIT_AGENT_STEPS": "1",
    "KIT_AGENT_STEP_SECONDS": "0",
    "KIT_WORKERS": "64",  # so that the queue stays short while it is filled: only finished records are weighed
    "KIT_QUEUE_SIZE": "100000",
    "KIT_TASK_TTL_SECONDS": "86400",
    "KIT_GRACE_SECONDS": "0",
}


@dataclass(frozen=True)
class Found:
    """The answer to both questions."""

    few: int
    many: int
    few_seconds: list[float]  # the median of each round
    many_seconds: list[float]
    ratio: float
    bytes_per_record: float

    @property
    def reached(self) -> bool:
        """Whether both are what is wanted."""
        return self.ratio <= MOST_RATIO and self.bytes_per_record <= MOST_BYTES


class Keeper:
    """A server, and some of the ids that it keeps."""

    def __init__(self, port: int, pid: int) -> None:
        self._port = port
        self._process = psutil.Process(pid)
        self._connection: Connection | None = None
        self._ids: list[str] = []
        self._records = 0

    @property
    def memory(self) -> int:
        """The bytes of memory that its process has."""
        return int(self._process.memory_info().rss)

    def fill(self, records: int) -> None:
        """Submit until it keeps so many records, and all of them are finished. Raises `HammerFailed`."""
        found = run_hammer(self._port, _SUBMIT, _CONNECTIONS, answers=records - self._records)
        if found.others:
            raise HammerFailed(f"{found.others} submits were not accepted.")
        self._records = records
        self._ids += found.task_ids
        self.reconnect()
        # Tasks are taken in order: when one that comes now is finished, those before it have been started.
        last = json.loads(self._ask(post("/agent/submit", _SUBMIT.encode())).body)["task_id"]
        deadline = time.monotonic() + _SETTLE_SECONDS
        while b'"completed"' not in self._ask(get(f"/agent/status/{last}")).body:
            if time.monotonic() > deadline:
                raise HammerFailed(f"The tasks were not finished after {_SETTLE_SECONDS:g} s.")
            time.sleep(0.01)

    def reconnect(self) -> None:
        """Open a connection: the server has closed one that was idle for some seconds."""
        if self._connection:
            self._connection.close()
        self._connection = Connection(self._port)

    def status_seconds(self, chance: random.Random) -> float:
        """How long one status request for a finished task takes. Raises `BadAnswer`."""
        request = get(f"/agent/status/{chance.choice(self._ids)}")
        begin = time.perf_counter()
        answer = self._ask(request)
        seconds = time.perf_counter() - begin
        if answer.status != 200 or b'"completed"' not in answer.body:
            raise BadAnswer(f"the status of a finished task gave {answer.status}")
        return seconds

    def _ask(self, request: bytes) -> Answer:
        if self._connection is None:
            raise BadAnswer("nothing was asked to connect yet")
        return self._connection.ask(request)


@contextmanager
def keeper(log: Path) -> Iterator[Keeper]:
    """A fresh server. Raises `ProcessFailed`, `CannotServe`, `SettingsError`."""
    with running(IN_MEMORY_QUEUE, env=_ENV, log=log) as served:
        yield Keeper(int(served.url.rpartition(":")[2]), served.web[0].pid)


def measure(few: int, many: int, rounds: int, requests: int, folder: Path, told: Console) -> Found:
    """Fill two servers, weigh one, and ask both in turn."""
    chance = random.Random(0)
    with keeper(folder / "few.log") as small, keeper(folder / "many.log") as big:
        told.print(f"filling one server with {few:,} records, and the other with {many:,}", style="dim")
        small.fill(few)
        big.fill(few)
        before = big.memory
        big.fill(many)
        bytes_per_record = (big.memory - before) / (many - few)
        few_seconds, many_seconds = [], []
        small.reconnect()
        for number in range(1, rounds + 1):
            told.print(f"round {number}/{rounds}: {requests} status requests to each, in turn", style="dim")
            pairs = [(small.status_seconds(chance), big.status_seconds(chance)) for _ in range(requests)]
            few_seconds.append(median(pair[0] for pair in pairs))
            many_seconds.append(median(pair[1] for pair in pairs))
    ratio = median(many / few for few, many in zip(few_seconds, many_seconds, strict=True))
    return Found(few, many, few_seconds, many_seconds, ratio, bytes_per_record)


def table(found: Found) -> Table:
    """Both answers, beside what is wanted."""
    shown = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for heading in ("", "found", "min-max of the rounds", "wanted"):
        shown.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for records, seconds in ((found.few, found.few_seconds), (found.many, found.many_seconds)):
        shown.add_row(f"status, {records:,} records kept", _microseconds(median(seconds)), _range(seconds), "")
    ratios = [many / few for few, many in zip(found.few_seconds, found.many_seconds, strict=True)]
    shown.add_row(
        "ratio",
        _judged(f"{found.ratio:.3f}", found.ratio <= MOST_RATIO),
        f"{min(ratios):.3f}-{max(ratios):.3f}",
        f"<= {MOST_RATIO:.2f}",
    )
    light = found.bytes_per_record <= MOST_BYTES
    shown.add_row("memory per record", _judged(f"{found.bytes_per_record:.0f} B", light), "", f"<= {MOST_BYTES} B")
    return shown


def _microseconds(seconds: float) -> str:
    return f"{1e6 * seconds:.0f} µs"


def _range(seconds: list[float]) -> str:
    return f"{1e6 * min(seconds):.0f}-{_microseconds(max(seconds))}"


def _judged(text: str, good: bool) -> str:
    return f"[{'green' if good else 'red'}]{text}[/]"


def kept_records(
    few: Annotated[int, typer.Option(min=100, help="Records that one server keeps.")] = 1_000,
    many: Annotated[int, typer.Option(min=1_000, max=1_000_000, help="Records that the other keeps.")] = 200_000,
    rounds: Annotated[int, typer.Option(min=1, max=50, help="Rounds of status requests.")] = 5,
    requests: Annotated[int, typer.Option(min=10, max=100_000, help="To each server in a round.")] = 2_000,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: nothing but JSON on standard output.")] = False,
) -> None:
    """Status latency and memory with few and with many finished records. Exits 1 when either is not as wanted."""
    if few >= many:
        raise give_up(f"--few {few} is not fewer than --many {many}.", 2)
    told = Console(stderr=True, highlight=False)
    try:
        with tempfile.TemporaryDirectory(prefix="kit-") as folder:
            found = measure(few, many, rounds, requests, Path(folder), told)
    except (HammerFailed, BadAnswer, ProcessFailed, CannotServe, SettingsError, OSError) as error:
        raise give_up(error) from None
    except KeyboardInterrupt:
        raise give_up("Interrupted; nothing to report.", 130) from None
    if as_json:
        typer.echo(json.dumps({**asdict(found), "reached": found.reached, "machine": machine()}, indent=2))
    else:
        out, here = Console(highlight=False), machine()
        out.print(table(found))
        out.print(f"\n{here['cores']} cores, {here['processor']}; {here['python']}, {here['kernel']}", style="dim")
    if not found.reached:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(kept_records)
