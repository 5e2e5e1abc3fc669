"""`python -m patterns.agents.stub_model` as a process."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.cli.command import environment, run
from tests.support.waiting import PATIENCE_SECONDS, eventually

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "patterns.agents.stub_model"]


@contextmanager
def started(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and the URL that it prints."""
    with subprocess.Popen(
        [*COMMAND, "--port", "0", "--delay", "0", *options],
        cwd=ROOT,
        env=environment({"PYTHONUNBUFFERED": "1"}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.fullmatch(r"A stub model answers at (http://\S+)/v1 \(.*\)\. Ctrl-C stops it\.\n", line)
            assert found is not None, line
            yield process, found[1]
        finally:
            process.kill()


@pytest.mark.parametrize("prompt", ["hello", "stub:hang"], ids=["idle", "with an open call"])
def test_ctrl_c_stops_it_in_one_line(prompt: str) -> None:
    body = {"model": "stub", "messages": [{"role": "user", "content": prompt}]}
    with started() as (process, url), socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as client:
        content = httpx.Request("POST", f"{url}/v1/chat/completions", json=body)
        head = f"POST {content.url.path} HTTP/1.1\r\nHost: stub\r\nContent-Length: {len(content.content)}\r\n\r\n"
        client.sendall(head.encode() + content.content)
        eventually(lambda: httpx.get(f"{url}/stub/calls", trust_env=False).json(), bool)

        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_SECONDS)

    assert (process.returncode, out, err) == (0, "Stopped.\n", "")


def test_the_options_set_the_delays_and_the_retry_after() -> None:
    body = {"model": "stub-429", "messages": [{"role": "user", "content": "hello"}]}
    with started("--retry-after", "7", "--chunk-delay", "0") as (_, url):
        answer = httpx.post(f"{url}/v1/chat/completions", json=body, trust_env=False, timeout=PATIENCE_SECONDS)

    assert answer.headers["retry-after"] == "7"


def test_a_port_in_use_is_one_line_and_exit_code_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        outcome = run([*COMMAND, "--port", str(port)], ROOT)

    assert outcome.code == 2
    assert outcome.line == f"Cannot listen on 127.0.0.1:{port}: Address already in use. Choose another with --port."
