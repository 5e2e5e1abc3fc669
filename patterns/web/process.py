"""One web process: `python -m patterns.web.process MODULE:FACTORY --port PORT` (or `--fd FD`).

With `--port` it opens the listening socket itself. With `--fd` it inherits the socket from its parent: several web
processes can share one port, and while a process that died is restarted, its clients wait instead of being refused.

On SIGTERM or Ctrl-C the app accepts no more tasks and gives the running ones the grace period, during which it still
returns their status. Only then are the connections closed.
"""

import argparse
import asyncio
import gc
import importlib
import os
import socket
import sys
import threading
from contextlib import suppress
from functools import partial
from types import FrameType

import uvicorn
from fastapi import FastAPI

from patterns.agents.running import CLEAN_UP_SECONDS
from patterns.contract.settings import SettingsError, load_settings
from patterns.observability.logs import set_up_logging
from patterns.web.connections import GuardedProtocol, Limits


class DrainingServer(uvicorn.Server):
    """uvicorn, with limits on what clients may do, and a graceful stop of the app before the connections are closed."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop gracefully at the first signal, at once at the second. uvicorn accepts only SIGINT as the second."""
        self.force_exit = self.should_exit
        super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second: check the timeouts of the connections once a second."""
        if counter % 10 == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, GuardedProtocol):
                    connection.check_timeouts(now)
        return await super().on_tick(counter)

    async def main_loop(self) -> None:
        """Serve until a signal, then until the app has drained or a second signal comes."""
        await super().main_loop()
        # An app may also do all of this in its lifespan, and have no `drain`.
        draining = asyncio.ensure_future(getattr(self._app.state, "drain", _drain_nothing)())
        while not draining.done() and not self.force_exit:
            await asyncio.wait({draining}, timeout=0.1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the connections and the app. An agent that ignores its cancellation does not block the exit."""
        await super().shutdown(sockets)
        # asyncio.run() waits for every remaining task, and the interpreter for every thread.
        end = threading.Timer(CLEAN_UP_SECONDS, os._exit, [os.EX_OK])
        end.daemon = True
        end.start()


async def _drain_nothing() -> None:
    """The `drain` of an app without one."""


def main() -> None:
    """Serve one app until it is stopped."""
    arguments, listener = _arguments()
    module_name, _, factory = arguments.app.partition(":")
    try:
        settings = load_settings()
        set_up_logging(settings)
        app: FastAPI = getattr(importlib.import_module(module_name), factory)()
    except SettingsError as error:
        print(f"kit: {error}", file=sys.stderr)  # noqa: T201 the whole message: the parent process adds nothing
        sys.exit(os.EX_CONFIG)
    # The garbage collector skips everything loaded so far, and runs less often. Otherwise its pauses grow with the
    # number of waiting tasks: with 10,000, to hundreds of milliseconds.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 50, 100)
    config = uvicorn.Config(
        app,
        workers=1,  # otherwise uvicorn reads WEB_CONCURRENCY, and fails if it is not a number
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=1,
        http=partial(  # type: ignore[arg-type]  # it is only called
            GuardedProtocol, limits=Limits.of(settings), responded=set()
        ),
        ws="none",  # there is no WebSocket route, and the limits would not apply to one
    )
    with suppress(KeyboardInterrupt):  # uvicorn raises it again after the graceful stop
        DrainingServer(config, app).run(sockets=[listener])


def _arguments() -> tuple[argparse.Namespace, socket.socket]:
    """The arguments, and the listening socket: it is opened first, so that a port in use fails at once."""
    parser = argparse.ArgumentParser(prog="python -m patterns.web.process", description=__doc__)
    parser.add_argument("app", help="the app, as module:factory")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on; by default loopback only")
    listen = parser.add_mutually_exclusive_group(required=True)
    listen.add_argument("--port", type=int, help="the port to listen on")
    listen.add_argument("--fd", type=int, help="a listening socket, inherited from the parent process")
    arguments = parser.parse_args()
    family = socket.AF_INET6 if ":" in arguments.host else socket.AF_INET
    try:
        if arguments.fd is not None:
            return arguments, socket.socket(fileno=arguments.fd)
        return arguments, socket.create_server((arguments.host, arguments.port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        address = f"{arguments.host}:{arguments.port}" if arguments.fd is None else f"file descriptor {arguments.fd}"
        parser.error(f"cannot listen on {address}: {error}")


if __name__ == "__main__":
    main()
