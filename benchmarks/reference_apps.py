"""Two servers to hold the patterns against: one that does nothing, and Celery as its tutorial has it.

`python -m benchmarks.reference_apps NAME --fd N` serves one exactly as `python -m patterns.web` serves a
pattern: the same uvicorn options, the same garbage collector settings, the listening socket from the parent.
"""

import argparse
import gc
import os
import socket
from collections.abc import Callable

import uvicorn
from celery import Celery
from fastapi import FastAPI
from fastapi.responses import JSONResponse

from patterns.contract import SubmitRequest


def ceiling() -> FastAPI:
    """Validates a submit and answers 202. No pattern can be faster: all of them do this, and then their work."""
    app = FastAPI()

    @app.post("/agent/submit")
    async def submit(body: SubmitRequest) -> JSONResponse:
        return JSONResponse({"status": "pending"}, 202)

    return app


def plain_delay() -> FastAPI:
    """Celery as most write it first: `.delay()` in an `async def`, broker and results in one Redis."""
    app = FastAPI()
    url = os.environ["REDIS_URL"]
    celery = Celery("plain", broker=url, backend=url)

    @celery.task  # type: ignore[untyped-decorator]  # Celery ships no types
    def run_agent(prompt: str) -> str:
        return prompt

    @app.post("/agent/submit")
    async def submit(body: SubmitRequest) -> JSONResponse:
        task = run_agent.delay(body.prompt)
        return JSONResponse({"task_id": task.id, "status": "pending"}, 202)

    return app


APPS: dict[str, Callable[[], FastAPI]] = {"ceiling": ceiling, "plain_delay": plain_delay}


def main() -> None:
    """Serve one on a socket that the parent has opened."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reference_apps", description=__doc__)
    parser.add_argument("name", choices=APPS)
    parser.add_argument("--fd", type=int, required=True, help="the listening socket, inherited from the parent")
    arguments = parser.parse_args()
    app = APPS[arguments.name]()
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 50, 100)
    config = uvicorn.Config(app, access_log=False, log_level="warning", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=arguments.fd)])


if __name__ == "__main__":
    main()
