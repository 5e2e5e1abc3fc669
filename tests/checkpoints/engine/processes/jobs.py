"""What a forked process runs: a web server with the learner's app, a Celery worker, or one function call."""

import asyncio
import importlib
import json
import os
import random
import signal
import socket
import sys
import time
from typing import Any

from tests.checkpoints.engine.processes.task_exceptions import print_task_exceptions

#: What a Celery worker of a check prints when it is ready, even if the learner has changed Celery's own log.
READY = b"The worker is ready.\n"


def web(app: str, listener: int) -> None:
    """Serve `module:app` on a socket that is already listening."""
    import uvicorn

    class Server(uvicorn.Server):
        async def serve(self, sockets: list[socket.socket] | None = None) -> None:
            asyncio.get_running_loop().set_task_factory(print_task_exceptions)
            await super().serve(sockets)

    signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a terminal, whatever this process inherited
    module, _, attribute = app.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    if seed := os.environ.get("KIT_RANDOM_SEED"):  # for the same random numbers in every run
        random.seed(int(seed))
    config = uvicorn.Config(found, access_log=False, log_level="warning", ws="none")
    server, sockets = Server(config), [socket.socket(fileno=listener)]
    if os.environ.get("PYTHONASYNCIODEBUG"):  # on Python 3.11 uvicorn itself switches this mode off
        with asyncio.Runner(debug=True, loop_factory=config.get_loop_factory()) as runner:
            runner.run(server.serve(sockets))
    else:
        server.run(sockets)


def celery(arguments: list[str]) -> None:
    """Run `celery …` as on the command line."""
    from celery.bin.celery import celery as command
    from celery.signals import worker_ready

    def ready(**_: object) -> None:
        os.write(1, READY)

    worker_ready.connect(ready, weak=False)
    sys.argv = ["celery", *arguments]
    command.main(args=arguments, prog_name="celery", auto_envvar_prefix="CELERY")


def call(function: str, keywords: dict[str, Any], answer: int) -> None:
    """Call a coroutine function `module:function`, and write its outcome and the time (`time.monotonic()`) as JSON."""
    module, _, name = function.partition(":")
    found = getattr(importlib.import_module(module), name)
    outcome: dict[str, Any]
    try:
        outcome = {"returned": asyncio.run(found(**keywords))}
        ended = time.monotonic()
    except Exception as error:
        ended = time.monotonic()
        import traceback

        traceback.print_exc()
        kinds = [kind.__name__ for kind in type(error).__mro__]
        outcome = {"raised": kinds, "message": str(error)}
    outcome["at"] = ended
    with os.fdopen(answer, "w") as file:
        json.dump(outcome, file, default=repr)
