"""A simulated host of `celery_queue`: web server and worker with their own address, and links that can be cut."""

import os
import socket
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from benchmarks.scale.two_hosts.link import Link
from patterns.serving.processes import Child, Family
from patterns.serving.sockets import free_port


@dataclass
class Host:
    """The URL of a host, its processes, and its links to the shared Redis and broker."""

    name: str
    url: str
    links: list[Link]
    parts: list[Child]
    accepted: list[str] = field(default_factory=list)

    def submit(self) -> httpx.Response:
        """Submit a task to this host."""
        answer = httpx.post(f"{self.url}/agent/submit", json={"prompt": "work"}, timeout=20, trust_env=False)
        if answer.status_code == 202:
            self.accepted.append(answer.json()["task_id"])
        return answer

    def status(self, task_id: str) -> httpx.Response:
        """Request the status of a task from this host."""
        return httpx.get(f"{self.url}/agent/status/{task_id}", timeout=20, trust_env=False)

    def health(self) -> int | None:
        """The status code of `/health`; None without a response."""
        try:
            return httpx.get(f"{self.url}/health", timeout=20, trust_env=False).status_code
        except httpx.TransportError:
            return None


def start_host(name: str, redis_url: str, broker_url: str, family: Family, stack: ExitStack) -> Host:
    address = _address_of(name)
    links, env = [], {**os.environ, "KIT_AGENT_STEPS": "10", "KIT_AGENT_STEP_SECONDS": "0.1", "KIT_WORKERS": "3"}
    env |= {"KIT_KEY_PREFIX": "kit:", "KIT_GRACE_SECONDS": "1", "KIT_TASK_TIMEOUT_SECONDS": "60"}
    for variable, url in (("REDIS_URL", redis_url), ("KIT_BROKER_URL", broker_url)):
        if url:
            parts = urlsplit(url)
            assert parts.hostname, f"{variable} names no host"  # noqa: S101 validated by the settings
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
    """A loopback address for each host, if the system has more than one (Linux)."""
    address = {"A": "127.0.0.2", "B": "127.0.0.3"}[name]
    try:
        socket.create_server((address, 0)).close()
    except OSError:
        return "127.0.0.1"
    return address
