"""A web process without a parent: it opens its own port."""

import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import httpx

from patterns.serving.sockets import free_port
from tests.cli.command import environment, run
from tests.support.waiting import PATIENCE_SECONDS, eventually

START = [sys.executable, "-m", "patterns.web.process", "patterns.in_memory_queue:create_app"]


def test_it_serves_on_its_port_until_ctrl_c_and_then_ends_silently() -> None:
    port = free_port()
    process = subprocess.Popen([*START, "--port", str(port)], env=environment({}), stderr=subprocess.PIPE, text=True)
    try:
        eventually(lambda: _health(port), lambda status: status == 200)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE_SECONDS)
    finally:
        process.kill()
    assert (process.returncode, err) == (0, "")


def test_a_port_in_use_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        outcome = run([*START, "--port", str(port)], tmp_path)
    assert outcome.code == 2
    assert f"cannot listen on 127.0.0.1:{port}" in outcome.err.splitlines()[-1]


def _health(port: int) -> int | None:
    with suppress(httpx.TransportError):
        return httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False).status_code
    return None
