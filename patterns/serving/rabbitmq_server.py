"""A private RabbitMQ with one node, from the system's package: for tests and fault runs.

The package's wrapper script switches to another user, so the script behind it is started. The node has its own name,
its own ports, and its own epmd (the registry of Erlang nodes), because a shared one would keep running.
"""

import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from patterns.serving.processes import Child, Family, ProcessFailed
from patterns.serving.sockets import free_port
from patterns.serving.supervising import wait_until_up

#: Erlang starts slowly on a busy machine.
_TIMEOUT_FACTOR = 3
_DATA, _OUTPUT = "data", "output"
_SCRIPTS = "rabbitmq_server-*/sbin/rabbitmq-server"
_FOLDERS = (Path("/usr/lib/rabbitmq/lib"), Path("/opt/rabbitmq"), Path("/usr/local/lib"))

_CONFIG = """\
listeners.tcp.1 = 127.0.0.1:{port}
default_user = kit
default_pass = {password}
disk_free_limit.absolute = 1MB
vm_memory_high_watermark.absolute = 1GB
log.file.level = warning
"""


class NoRabbitMQ(ProcessFailed):
    """RabbitMQ is not installed. The message says what to install."""


@dataclass(frozen=True)
class RabbitMQ:
    """A running node."""

    url: str
    child: Child
    port: int
    folder: Path

    def lose_data(self) -> None:
        """Delete all its data. The node must not be running."""
        shutil.rmtree(self.folder / _DATA)

    def start(self) -> None:
        """Restart it with its data, and return when it accepts connections. Raises `ProcessFailed`."""
        self.child.start()
        self.wait_until_up()

    def wait_until_up(self) -> None:
        """Return when it accepts connections. Raises `ProcessFailed`."""
        wait_until_up(
            self._answers,
            [self.child],
            "RabbitMQ did not reply",
            lambda: "Try again when this machine is less busy.",
            log=self.folder / _OUTPUT,
            timeout_factor=_TIMEOUT_FACTOR,
        )

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                return connection.recv(1) == b"\x01"  # a method frame: the first one that a ready broker sends
        except OSError:
            return False


def find_script() -> Path:
    """The script that starts a node. Raises `NoRabbitMQ`."""
    for folder in _FOLDERS:
        if scripts := sorted(folder.glob(_SCRIPTS)):
            return scripts[-1]
    raise NoRabbitMQ("RabbitMQ is not installed (Debian: apt install rabbitmq-server).")


@contextmanager
def running_rabbitmq() -> Iterator[RabbitMQ]:
    """Run a private node for as long as the block lasts. Raises `NoRabbitMQ`, `ProcessFailed`."""
    script = find_script()
    epmd = shutil.which("epmd")
    if not epmd:
        raise NoRabbitMQ("RabbitMQ is installed, but Erlang's epmd is not on PATH.")
    port, epmd_port, password = free_port(), free_port(), secrets.token_urlsafe(16)
    with Family() as family:
        home = family.folder
        family.log = home / _OUTPUT
        (home / "rabbitmq.conf").write_text(_CONFIG.format(port=port, password=password))
        (home / "plugins").write_text("[].\n")
        env = {
            **os.environ,
            "LC_ALL": "C.UTF-8",
            "HOME": str(home),  # where Erlang keeps its cookie
            "ERL_EPMD_PORT": str(epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_CONF_ENV_FILE": str(home / "none"),
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(home / _DATA),
            "RABBITMQ_LOG_BASE": str(home / "log"),
            "RABBITMQ_NODENAME": f"kit{port}@localhost",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            # This makes the script replace itself with the node, instead of waiting for it.
            "RABBITMQ_ALLOW_INPUT": "1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-noinput -kernel inet_dist_use_interface {127,0,0,1} +S 2:2",
        }
        family.start("epmd", [epmd], env)
        node = family.start("RabbitMQ", [str(script)], env)
        broker = RabbitMQ(f"amqp://kit:{password}@127.0.0.1:{port}//", node, port, home)
        broker.wait_until_up()
        yield broker
