"""A thousand event streams at once, streams whose clients are gone, and the limits that a stream counts in."""

import asyncio
import json

from tests.abuse.many_connections import Connection, connect, open_connections
from tests.abuse.test_long_polls import handles, memory
from tests.support.serving import Json, Served
from tests.support.waiting import eventually

_STREAMS = 1000
#: What the processes may keep after a thousand streams: the allocator does not release every page.
_KEPT_BYTES = 20_000_000


def request(task_id: str) -> bytes:
    """A request for the events of a task, after whose response the server closes the connection."""
    return f"GET /agent/events/{task_id} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()


def tasks_in(response: bytes) -> list[Json]:
    """The task in each event of a response."""
    return [json.loads(line[6:]) for line in response.splitlines() if line.startswith(b"data: ")]


async def running_task(served: Served) -> str:
    """A task that runs until it is cancelled."""
    task_id = await asyncio.to_thread(served.accept, "hold: until it is cancelled")
    await asyncio.to_thread(eventually, lambda: served.task(task_id), lambda task: task["progress"] == 10)
    return task_id


async def follow_all(served: Served) -> list[list[str]]:
    """Open the streams, check that other requests are answered, end the task, and return the statuses in each."""
    task_id = await running_task(served)
    async with open_connections(served, _STREAMS, request(task_id)) as members:
        streams = [asyncio.create_task(member.closed()) for member in members]
        await asyncio.to_thread(eventually, lambda: handles(served), lambda open_now: open_now >= _STREAMS)
        other = await asyncio.to_thread(served.accept, "another")
        assert (await asyncio.to_thread(served.outcome, other))["status"] == "completed"
        await asyncio.to_thread(served.cancel, task_id)
        responses = await asyncio.gather(*streams)
    return [[task["status"] for task in tasks_in(response)] for response in responses]


async def test_a_thousand_streams_have_the_outcome_and_leave_nothing_behind(served: Served) -> None:
    await follow_all(served)  # the first time fills what stays: threads, pools, buffers
    handles_before, memory_before = handles(served), memory(served)

    streams = await follow_all(served)

    assert [statuses[-1:] for statuses in streams] == [["cancelled"]] * _STREAMS
    assert {len(statuses) for statuses in streams} <= {1, 2}
    await asyncio.to_thread(eventually, lambda: handles(served), lambda open_now: open_now <= handles_before + 5)
    assert memory(served) - memory_before < _KEPT_BYTES


async def test_an_abandoned_stream_leaves_no_handle_behind(served: Served) -> None:
    task_id = await running_task(served)
    before = handles(served)

    async with open_connections(served, 300, request(task_id)):
        await asyncio.to_thread(eventually, lambda: handles(served), lambda open_now: open_now >= 300)

    await asyncio.to_thread(eventually, lambda: handles(served), lambda open_now: open_now <= before + 5)
    assert (await asyncio.to_thread(served.cancel, task_id)).status_code == 200


async def test_streams_count_in_the_limit_of_connections(crowded: Served) -> None:
    task_id = await running_task(crowded)

    members: list[Connection] = []
    statuses: list[int] = [0]
    while statuses[-1] != 503 and len(members) < 30:  # one at a time: a rejected connection counts until it is closed
        members.append(await connect(crowded, request(task_id)))
        statuses.append((await members[-1].answer())[0])
    for member in members:
        member.leave()

    assert statuses[-1] == 503
    assert 10 <= statuses.count(200) <= 20  # the clients of this test hold connections too
    await asyncio.to_thread(eventually, lambda: crowded.cancel(task_id).status_code, lambda status: status == 200)


async def test_an_idle_stream_is_not_taken_for_a_slow_client(impatient: Served) -> None:
    task_id = await running_task(impatient)
    stream = asyncio.create_task((await connect(impatient, request(task_id))).closed())

    done, _ = await asyncio.wait({stream}, timeout=3)  # three times as long as the server waits for a client

    assert not done
    await asyncio.to_thread(impatient.cancel, task_id)
    assert [task["status"] for task in tasks_in(await stream)] == ["running", "cancelled"]
