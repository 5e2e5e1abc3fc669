"""One web process: `python -m patterns.web.process MODULE:FACTORY`, and where it listens: `--port` or `--fd`.

With `--port` it opens the socket itself. With `--fd` the listening socket comes from the parent: several web
processes can then share one port, and while a killed one is started again its clients wait instead of being
refused. On SIGTERM or Ctrl-C the app first takes no more tasks and gives the accepted ones the grace period,
while status goes on answering; only then do the connections close.
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
    """uvicorn, with limits to what clients may do, and the app's own bounded stop before the connections close."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal stops the server gracefully, a second one at once. uvicorn would insist on SIGINT."""
        self.force_exit = self.should_exit
        super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second; once a second look after the connections."""
        if counter % 10 == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, GuardedProtocol):
                    connection.look_after(now)
        return await super().on_tick(counter)

    async def main_loop(self) -> None:
        """Serve until told to stop, then go on serving until the app has drained, or a second signal."""
        await super().main_loop()
        draining = asyncio.ensure_future(getattr(self._app.state, "drain", _nothing)())  # an app may have none
        while not draining.done() and not self.force_exit:
            await asyncio.wait({draining}, timeout=0.1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the connections and the app. An agent that ignores its cancellation does not keep the process."""
        await super().shutdown(sockets)
        # asyncio.run() waits for every task that is left, and the interpreter for every thread.
        end = threading.Timer(CLEAN_UP_SECONDS, os._exit, [os.EX_OK])
        end.daemon = True
        end.start()


async def _nothing() -> None:
    """The stop of an app that has nothing to finish."""


def main() -> None:
    """Serve one app until it is stopped."""
    arguments, listener = _arguments()
    module_name, _, factory = arguments.app.partition(":")
    try:
        settings = load_settings()
        set_up_logging(settings)
        app: FastAPI = getattr(importlib.import_module(module_name), factory)()
    except SettingsError as error:
        print(f"kit: {error}", file=sys.stderr)  # noqa: T201 the parent has nothing to add
        sys.exit(os.EX_CONFIG)
    # What was loaded so far stays: the garbage collector need not look at it again, and may look less often.
    # Otherwise its pauses grow with the number of waiting tasks: with 10,000, to hundreds of milliseconds.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 50, 100)
    config = uvicorn.Config(
        app,
        workers=1,  # or uvicorn reads WEB_CONCURRENCY, and trips over one that is no number
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=1,
        http=partial(  # type: ignore[arg-type]  # it is only called
            GuardedProtocol, limits=Limits.of(settings), answered=set()
        ),
        ws="none",  # no route is one, and a WebSocket would be out of the limits
    )
    with suppress(KeyboardInterrupt):  # raised after the graceful stop, as uvicorn does for its callers
        DrainingServer(config, app).run(sockets=[listener])


def _arguments() -> tuple[argparse.Namespace, socket.socket]:
    """The command line, and the listening socket: a port that is taken is found before anything starts."""
    parser = argparse.ArgumentParser(prog="python -m patterns.web.process", description=__doc__)
    parser.add_argument("app", help="a factory without arguments, as a pattern's descriptor names it")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on, by default this machine only")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--port", type=int, help="the port to listen on")
    where.add_argument("--fd", type=int, help="the listening socket, inherited from the parent")
    arguments = parser.parse_args()
    if arguments.fd is not None:
        return arguments, socket.socket(fileno=arguments.fd)
    family = socket.AF_INET6 if ":" in arguments.host else socket.AF_INET
    try:
        return arguments, socket.create_server((arguments.host, arguments.port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        parser.error(f"cannot listen on {arguments.host}:{arguments.port}: {error}")


if __name__ == "__main__":
    main()
