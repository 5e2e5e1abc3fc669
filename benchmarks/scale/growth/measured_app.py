"""A pattern's own app with two additional routes: one fills its store, one measures its memory.

A million tasks over HTTP would take a quarter of an hour. Instead, the server writes the records with the store calls
that a task makes (create, start, complete), without requests or an agent; for `webhook`, also a delivery that
succeeded at the first attempt. Nothing else differs from `kit serve`.
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

#: The environment variable that names the pattern.
PATTERN_VARIABLE = "KIT_GROWTH_PATTERN"
#: The most ids that a fill returns, for status requests.
_MOST_IDS = 1000


class Fill(BaseModel):
    """The number of records to write, and their contents."""

    count: int
    result: str
    callback_url: str = ""


class Filled(BaseModel):
    """Some ids of the written records."""

    task_ids: list[str]


class MemoryInUse(BaseModel):
    """The bytes that the allocators have handed out; None if they cannot tell."""

    in_use: int | None


def create_app() -> FastAPI:
    """The app of the pattern named by the environment."""
    module, _, factory = PATTERNS[os.environ[PATTERN_VARIABLE]].app.partition(":")
    app: FastAPI = getattr(import_module(module), factory)()

    @app.post("/benchmark/fill")
    async def fill(request: Fill) -> Filled:
        logging.disable()  # no log line for tasks that did not run
        ids = [_finished_task(app, request.result, request.callback_url) for _ in range(request.count)]
        logging.disable(logging.NOTSET)
        secrets.SystemRandom().shuffle(ids)
        return Filled(task_ids=ids[:_MOST_IDS])

    @app.post("/benchmark/memory")
    async def memory() -> MemoryInUse:
        gc.collect()
        return MemoryInUse(in_use=bytes_in_use())

    return app


def _finished_task(app: FastAPI, result: str, callback_url: str) -> str:
    store = app.state.store
    task, _ = store.create("", callback_url=callback_url or None)
    task_id = str(task.task_id)
    store.start(task_id)
    store.complete(task_id, result.encode().decode())  # a separate copy of the text, as with a real agent
    if callback_url:
        # Recorded before the app reads its outbox, so that no callback is sent.
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
    """The exact bytes handed out by CPython's allocator for small objects and by glibc for large ones.

    None without CPython's allocator or glibc 2.33 or later.
    """
    small = re.search(rb"# bytes in allocated blocks\s*=\s*([\d,]+)", _allocator_statistics())
    try:
        mallinfo2: Callable[[], Any] = ctypes.CDLL(None).mallinfo2
    except AttributeError:
        return None
    mallinfo2.restype = _Mallinfo2  # type: ignore[attr-defined]  # a function of ctypes
    large = mallinfo2()
    return int(small[1].replace(b",", b"")) + int(large.uordblks + large.hblkhd) if small else None


def _allocator_statistics() -> bytes:
    """CPython writes them to standard error only, so that is temporarily redirected to a file."""
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
