"""Reads the events of a task: server-sent events, each with an id and the task after a change."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import httpx

from tests.support.serving import Json, Served


class Event(NamedTuple):
    """An event, as a client receives it."""

    id: str
    task: Json


@contextmanager
def stream(served: Served, task_id: str, last_event_id: str | None = None) -> Iterator[Iterator[Event]]:
    """The events of a task, as they arrive. At the end of the block, the client disconnects."""
    headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
    with served.http.stream("GET", f"/agent/events/{task_id}", headers=headers) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].partition(";")[0] == "text/event-stream"
        assert response.headers["cache-control"] == "no-cache"
        yield events(response)


def events(response: httpx.Response) -> Iterator[Event]:
    """The events in a response, without the comments that keep the connection open."""
    fields: dict[str, str] = {}
    for line in response.iter_lines():
        name, _, value = line.partition(": ")
        if name in {"id", "data"}:
            fields[name] = value
        elif not line and fields:
            yield Event(fields["id"], json.loads(fields["data"]))
            fields = {}


def follow(served: Served, task_id: str, last_event_id: str | None = None) -> list[Event]:
    """All events from now, or after an event, until the stream ends."""
    with stream(served, task_id, last_event_id) as arriving:
        return list(arriving)
