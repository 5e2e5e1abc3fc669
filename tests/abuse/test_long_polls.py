"""A thousand long-polls at once: all are answered, so are other requests meanwhile, and no resources stay behind."""

import asyncio
import json

import psutil

from tests.abuse.many_connections import crowd
from tests.support.serving import Served
from tests.support.waiting import eventually

_POLLS = 1000
#: What the processes may keep after a thousand polls: the allocator does not release every page.
_KEPT_BYTES = 20_000_000


def handles(served: Served) -> int:
    """The file handles that the web processes have open."""
    return sum(psutil.Process(child.pid).num_fds() for child in served.running.web)


def memory(served: Served) -> int:
    """The memory of the web processes, in bytes."""
    return sum(psutil.Process(child.pid).memory_info().rss for child in served.running.web)


async def poll_all(served: Served) -> list[str]:
    """Open the long-polls, check that other requests are answered, end the task, and return the status of each poll."""
    task_id = await asyncio.to_thread(served.accept, "hold: until it is cancelled")
    poll = f"GET /agent/status/{task_id} HTTP/1.1\r\nHost: x\r\nPrefer: wait=30\r\n\r\n".encode()
    async with crowd(served, _POLLS, poll) as members:
        polls = [asyncio.create_task(member.answer()) for member in members]
        await asyncio.to_thread(eventually, lambda: handles(served), lambda open_now: open_now >= _POLLS)
        other = await asyncio.to_thread(served.accept, "another")
        assert (await asyncio.to_thread(served.outcome, other))["status"] == "completed"
        early = {poll.result() for poll in polls if poll.done()}
        assert not early, "a poll was answered before its task was finished"
        await asyncio.to_thread(served.cancel, task_id)
        answers = await asyncio.gather(*polls)
    return [json.loads(body)["status"] if status == 200 else f"{status}: {body!r}" for status, body in answers]


async def test_a_thousand_long_polls_are_answered_and_leave_nothing_behind(served: Served) -> None:
    await poll_all(served)  # the first time fills what stays: threads, pools, buffers
    handles_before, memory_before = handles(served), memory(served)

    statuses = await poll_all(served)

    assert statuses == ["cancelled"] * _POLLS

    await asyncio.to_thread(eventually, lambda: handles(served), lambda open_now: open_now <= handles_before + 5)
    assert memory(served) - memory_before < _KEPT_BYTES


async def test_an_abandoned_long_poll_leaves_no_handle_behind(served: Served) -> None:
    task_id = await asyncio.to_thread(served.accept, "hold: until it is cancelled")
    poll = f"GET /agent/status/{task_id} HTTP/1.1\r\nHost: x\r\nPrefer: wait=30\r\n\r\n".encode()
    before = handles(served)

    async with crowd(served, 300, poll):
        await asyncio.to_thread(eventually, lambda: handles(served), lambda open_now: open_now >= 300)

    await asyncio.to_thread(eventually, lambda: handles(served), lambda open_now: open_now <= before + 5)
    assert (await asyncio.to_thread(served.cancel, task_id)).status_code == 200
