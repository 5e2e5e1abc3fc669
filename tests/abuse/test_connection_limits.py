"""Clients beyond the connection limit are refused or closed; clients are answered beside many idle connections."""

import asyncio
import resource
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import psutil
import pytest

from patterns.contract.settings import Settings
from patterns.web import connections
from patterns.web.connections import Limits
from tests.abuse.many_connections import Member, crowd, joining
from tests.support.serving import Served
from tests.support.waiting import eventually

_GET = b"GET /health HTTP/1.1\r\nHost: x\r\n"
_POST = b"POST /agent/submit HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
_ASKED = 60


async def answers(members: list[Member]) -> list[int]:
    """The status of `/health` for each of these clients."""
    for member in members:
        await member.send(_GET + b"\r\n")
    return [status for status, _ in await asyncio.gather(*(member.answer() for member in members))]


async def test_clients_beyond_the_limit_get_503_and_those_after_them_are_closed(crowded: Served) -> None:
    async with crowd(crowded, 18), crowd(crowded, 40) as too_many, crowd(crowded, 200):
        statuses = await answers(too_many)
        assert set(statuses) <= {503, 0}
        assert statuses.count(503) >= 20

    await asyncio.to_thread(eventually, crowded.health, lambda status: status == 200)


async def test_open_connections_stay_open_while_new_ones_are_refused(crowded: Served) -> None:
    inside = await joining(crowded)
    async with crowd(crowded, 150):
        await inside.send(_GET + b"\r\n")
        assert (await inside.answer())[0] == 503, "it is over the limit now, and gets Retry-After"

    await asyncio.to_thread(eventually, crowded.health, lambda status: status == 200)
    async with crowd(crowded, 10) as few:
        assert await answers(few) == [200] * 10


def test_waiting_tasks_do_not_count_as_connections(keeps_requests: Served) -> None:
    task_ids = [keeps_requests.accept("hold: until it is cancelled") for _ in range(30)]

    assert keeps_requests.health() == 200
    assert keeps_requests.status(task_ids[-1]).json()["status"] == "pending"


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="the limit of another process can be set on Linux only")
async def test_a_server_without_free_file_handles_closes_new_connections_and_recovers(impatient: Served) -> None:
    [web] = [psutil.Process(child.pid) for child in impatient.running.web]
    before = resource.prlimit(web.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(web.pid, resource.RLIMIT_NOFILE, (web.num_fds() + 10, before[1]))
    try:
        async with crowd(impatient, 60) as members:
            statuses = await answers(members)
        assert set(statuses) <= {200, 0}
        assert statuses.count(0) >= 40, "more were answered than there were handles"
    finally:
        resource.prlimit(web.pid, resource.RLIMIT_NOFILE, before)

    await asyncio.to_thread(eventually, impatient.health, lambda status: status == 200)


def test_the_connection_limit_follows_the_file_handles_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "raise_open_file_limit", lambda: 1024)

    assert Limits.of(Settings()).connections == 704
    assert Limits.of(Settings(max_connections=20)).connections == 20


def test_a_process_raises_its_soft_limit_of_file_handles(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", lambda which, limits: asked.append(limits))

    assert connections.raise_open_file_limit() == 4096
    assert asked == [(4096, 4096)]


@asynccontextmanager
async def dribbling(served: Served) -> AsyncIterator[None]:
    """Hundreds of clients that send a byte now and then, and a flood of heads that are too long."""
    async with crowd(served, 300, _GET + b"X: ") as heads, crowd(served, 300, _POST) as bodies:

        async def dribble() -> None:
            while True:
                for member in (*heads, *bodies):
                    await member.send(b"x")
                    await asyncio.sleep(0.005)

        async def flood() -> None:
            while True:
                async with crowd(served, 1, _GET + b"X-Flood: a\r\n" * 5000) as [member]:
                    await member.closed()
                await asyncio.sleep(0.1)

        busy = [asyncio.create_task(dribble()), asyncio.create_task(flood())]
        try:
            yield
        finally:
            for task in busy:
                task.cancel()
            await asyncio.gather(*busy, return_exceptions=True)


def idle(served: Served) -> AbstractAsyncContextManager[object]:
    """A thousand idle connections."""
    return crowd(served, 1000)


@pytest.mark.parametrize("name", ["in_memory_queue", "celery_queue"])
@pytest.mark.parametrize("abuse", [idle, dribbling])
async def test_others_are_answered_beside_slow_clients(
    served: Served, abuse: Callable[[Served], AbstractAsyncContextManager[object]]
) -> None:
    async with abuse(served):
        member = await joining(served)
        for _ in range(_ASKED):
            await member.send(_GET + b"\r\n")
            assert (await member.answer())[0] == 200
        member.leave()
        task = await asyncio.to_thread(lambda: served.outcome(served.accept("beside slow clients")))

    assert task["status"] == "completed"
