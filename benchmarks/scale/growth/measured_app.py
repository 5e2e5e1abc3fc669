"""A pattern's own app with two routes more: one fills its store, one weighs its process.

A million tasks over HTTP take a quarter of an hour. Here the server writes the records itself, by the same calls of
its store as a task makes (create, start, complete), without a request and without an agent; for `webhook` also the
delivery of each, as taken at the first attempt. Nothing else differs from what `kit serve` serves.
"""

import ctypes
import gc
import logging
import os
import re
import secrets
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from patterns import PATTERNS
from patterns.contract import DeliveryAttempt, DeliveryState

#: Which pattern's app it is.
PATTERN_VARIABLE = "KIT_GROWTH_PATTERN"
#: So many ids of a fill are returned, for status requests.
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
    """What the allocators have given out and not got back, in bytes; None where they do not say."""

    in_use: int | None


def create_app() -> FastAPI:
    """The app of the pattern that the environment names."""
    module, _, factory = PATTERNS[os.environ[PATTERN_VARIABLE]].app.partition(":")
    app: FastAPI = getattr(import_module(module), factory)()

    @app.post("/benchmark/fill")
    async def fill(request: Fill) -> Filled:
        logging.disable()  # a line for each record would report work that was not done
        ids = [_finished_task(app, request.result, request.callback_url) for _ in range(request.count)]
        logging.disable(logging.NOTSET)
        secrets.SystemRandom().shuffle(ids)
        return Filled(task_ids=ids[:_TOLD])

    @app.post("/benchmark/weigh")
    async def weigh() -> Weighed:
        gc.collect()
        return Weighed(in_use=bytes_in_use())

    return app


def _finished_task(app: FastAPI, result: str, callback_url: str) -> str:
    store = app.state.store
    task, _ = store.create("", callback_url=callback_url or None)
    task_id = str(task.task_id)
    store.start(task_id)
    store.complete(task_id, result.encode().decode())  # each has its own copy of the text, as results of an agent do
    if callback_url:
        # Before the app takes it from its outbox, so that no callback is sent.
        store.record_attempt(task_id, DeliveryAttempt(at=datetime.now(UTC), status_code=204), DeliveryState.DELIVERED)
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
    """What Python's own allocator has given out for small things, and glibc for large ones: exact, both of them.

    None without CPython's allocator, or without glibc from 2.33 on.
    """
    small = re.search(rb"# bytes in allocated blocks\s*=\s*([\d,]+)", _allocator_says())
    try:
        mallinfo2: Callable[[], Any] = ctypes.CDLL(None).mallinfo2
    except AttributeError:
        return None
    mallinfo2.restype = _Mallinfo2  # type: ignore[attr-defined]  # a function of ctypes
    large = mallinfo2()
    return int(small[1].replace(b",", b"")) + int(large.uordblks + large.hblkhd) if small else None


def _allocator_says() -> bytes:
    """CPython writes it to standard error only, so that is redirected to a file meanwhile."""
    with tempfile.TemporaryFile() as file:
        kept = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            sys._debugmallocstats()
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        file.seek(0)
        return file.read()
