"""A pattern's own app with two routes more: one fills its store, one weighs its process.

A million tasks over HTTP take a quarter of an hour. Here the server writes the records itself, by the same calls of
its store as a task makes (create, start, complete), without a request and without an agent; for `webhook` also the
delivery of each, as taken at the first attempt. Nothing else differs from what `kit serve` serves.
"""

import ctypes
import gc
import os
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import httpx
from fastapi import FastAPI
from pydantic import BaseModel

from patterns import PATTERNS
from patterns.contract import DeliveryAttempt, DeliveryState

#: Which pattern's app it is.
PATTERN_VARIABLE = "KIT_GROWTH_PATTERN"
#: So many ids of a fill are told, so that somebody can ask for them.
_TOLD = 1000


class Fill(BaseModel):
    """How many records, and what is in each."""

    count: int
    result: str
    callback_url: str = ""


class Filled(BaseModel):
    """Some of their ids."""

    task_ids: list[str]


class Weighed(BaseModel):
    """What the allocator has given out and not got back, in bytes; None where it does not tell."""

    in_use: int | None


def create_app() -> FastAPI:
    """The app of the pattern that the environment names."""
    module, _, factory = PATTERNS[os.environ[PATTERN_VARIABLE]].app.partition(":")
    app: FastAPI = getattr(import_module(module), factory)()

    @app.post("/benchmark/fill")
    async def fill(wanted: Fill) -> Filled:
        ids = [_finished_task(app, wanted) for _ in range(wanted.count)]
        secrets.SystemRandom().shuffle(ids)
        return Filled(task_ids=ids[:_TOLD])

    @app.post("/benchmark/weigh")
    async def weigh() -> Weighed:
        gc.collect()
        return Weighed(in_use=bytes_in_use())

    return app


def _finished_task(app: FastAPI, wanted: Fill) -> str:
    store = app.state.store
    task, _ = store.create("")
    task_id = str(task.task_id)
    store.start(task_id)
    store.complete(task_id, wanted.result.encode().decode())  # each has a text of its own, as each agent's is
    if wanted.callback_url:
        # After it is finished: so nobody is called.
        app.state.deliveries.expect(task_id, httpx.URL(wanted.callback_url))
        delivery = app.state.deliveries.get(task_id)
        delivery.state = DeliveryState.DELIVERED
        delivery.attempts.append(DeliveryAttempt(at=datetime.now(UTC), status_code=204))
    return task_id


class _Mallinfo2(ctypes.Structure):
    """glibc's `struct mallinfo2`."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


def bytes_in_use() -> int | None:
    """Exact, if Python takes its memory from the C library (`PYTHONMALLOC=malloc`) and that is glibc 2.33 or newer."""
    try:
        mallinfo2: Callable[[], Any] = ctypes.CDLL(None).mallinfo2
    except AttributeError:
        return None
    mallinfo2.restype = _Mallinfo2  # type: ignore[attr-defined]  # a function of ctypes
    found = mallinfo2()
    return int(found.uordblks + found.hblkhd)
