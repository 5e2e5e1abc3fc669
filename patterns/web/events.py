"""The route `GET /agent/events/{task_id}`: the changes of a task as server-sent events.

FastAPI encodes the events, and sends a comment every 15 seconds, so that proxies do not close an idle connection.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated

from fastapi import Depends, FastAPI, Header, Request, Response
from fastapi.sse import ServerSentEvent

from patterns.contract.descriptor import Pattern
from patterns.tasks.events import EventStore, change_number, follow, next_event
from patterns.web import openapi, problems


class _NoStream(Exception):
    """There is nothing to stream. Raised in a dependency, because the status of a stream is sent before its events."""

    def __init__(self, response: Response) -> None:
        self.response = response


def add_events_route(app: FastAPI, pattern: Pattern, store: EventStore) -> None:
    """Add the stream of events for the tasks in `store`."""

    @app.exception_handler(_NoStream)
    async def no_stream(request: Request, error: _NoStream) -> Response:
        return error.response

    async def last_seen(
        task_id: str,
        last_event_id: Annotated[str | None, Header(description="The `id` of the last event you have.")] = None,
    ) -> int | None:
        seen = change_number(last_event_id)
        record = await store.changes(task_id, seen)
        if record is None:
            raise _NoStream(problems.unknown_task())
        if record.finished and next_event(record, seen) is None:
            raise _NoStream(Response(status_code=204))
        return seen

    @app.get(**openapi.events_route(pattern))
    async def events(task_id: str, seen: Annotated[int | None, Depends(last_seen)]) -> AsyncIterator[ServerSentEvent]:
        async with aclosing(follow(store, task_id, seen)) as changes:
            async for event in changes:
                yield ServerSentEvent(id=str(event.id), raw_data=event.task.model_dump_json())
