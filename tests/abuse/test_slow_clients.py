"""Slow clients: each is closed in time, with an answer if it has sent part of a request.

All of them are slow at the same time, so that this takes hardly longer than one.
"""

import asyncio
import time

import psutil

from tests.abuse.many_connections import Member, crowd, joining
from tests.abuse.raw_connection import Raw
from tests.contract.task_shape import check_problem
from tests.support.serving import Served
from tests.support.waiting import eventually

_GET = b"GET /health HTTP/1.1\r\nHost: x\r\n"
_POST = b"POST /agent/submit HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"

#: More characters than a kernel buffers for a client that does not read.
_LONG = 20_000_000

_HALF = {
    "a letter": b"G",
    "a blank line": b"\r\n",
    "half a head": _GET,
    "half a header": _GET + b"X-Slow: aaa",
    "no body": _POST + b"Content-Length: 100\r\n\r\n",
    "half a body": _POST + b'Content-Length: 100\r\n\r\n{"prompt": "',
    "half of the chunks": _POST + b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"pro\r\n',
    "no end of the trailers": _POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}   \r\n0\r\nT: x\r\n",
    "a body that was promised": _POST + b"Expect: 100-continue\r\nContent-Length: 100\r\n\r\n",
}


def ports(web: psutil.Process) -> set[int]:
    """The ports of the clients that are connected to a process."""
    return {connection.raddr.port for connection in web.net_connections("tcp") if connection.raddr}


async def dribble(member: Member) -> None:
    """Send one byte after the other, each well within the time that the server waits, for ever."""
    while True:
        await member.send(b"x")
        await asyncio.sleep(0.2)


async def test_half_a_request_is_answered_with_408(impatient: Served) -> None:
    members = {name: await joining(impatient, half) for name, half in _HALF.items()}

    came = dict(zip(members, await asyncio.gather(*(member.closed() for member in members.values())), strict=True))

    for name, said in came.items():
        assert said.count(b"HTTP/1.1 408 ") == 1, f"{name}: {said!r}"
        assert said.endswith(b"}"), f"{name}: {said!r}"
    assert came["a body that was promised"].startswith(b"HTTP/1.1 100 ")


async def test_a_client_that_sends_byte_by_byte_gets_no_more_time(impatient: Served) -> None:
    async with crowd(impatient, 20, _GET + b"X-Slow: ") as heads, crowd(impatient, 20, _POST) as bodies:
        for body in bodies:
            await body.send(b"Content-Length: 1000\r\n\r\n")
        slow = [asyncio.create_task(dribble(member)) for member in (*heads, *bodies)]
        came = await asyncio.gather(*(member.closed() for member in (*heads, *bodies)))
        for task in slow:
            task.cancel()

    assert all(said.startswith(b"HTTP/1.1 408 ") or not said for said in came), set(came)


async def test_a_silent_client_is_closed_without_an_answer(impatient: Served) -> None:
    async with crowd(impatient, 100) as members:
        came = await asyncio.gather(*(member.closed() for member in members))

    assert set(came) == {b""}


async def test_a_connection_in_use_is_not_closed(impatient: Served) -> None:
    """Neither a connection with request after request, nor one whose answer takes longer than a request may."""
    task_id = await asyncio.to_thread(impatient.accept, "hold: until it is cancelled")
    poll = f"GET /agent/status/{task_id} HTTP/1.1\r\nHost: x\r\nPrefer: wait=4\r\n\r\n".encode()
    until = time.monotonic() + 4
    async with crowd(impatient, 1) as [busy], crowd(impatient, 1, poll) as [patient]:
        held = asyncio.create_task(patient.answer())
        while time.monotonic() < until:
            await busy.send(_GET + b"\r\n")
            assert (await busy.answer())[0] == 200
        assert (await held)[0] == 200
    await asyncio.to_thread(impatient.cancel, task_id)


def test_a_client_that_does_not_read_its_answer_is_closed(impatient: Served) -> None:
    """Its answer is longer than what the kernel buffers for it."""
    task_id = impatient.accept(f"long:{_LONG}")
    impatient.until(task_id, "completed")
    with Raw(impatient, receive_buffer=4096) as raw:
        raw.send(f"GET /agent/status/{task_id} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        [web] = [psutil.Process(child.pid) for child in impatient.running.web]
        eventually(lambda: raw.port in ports(web), bool)
        eventually(lambda: raw.port in ports(web), lambda open_still: not open_still)

        assert len(raw.rest()) < _LONG


def test_a_late_answer_is_a_documented_one(impatient: Served) -> None:
    with Raw(impatient) as raw:
        answer = raw.send(_POST + b"Content-Length: 9\r\n\r\n{").answer("POST", "/agent/submit")

    assert "KIT_CLIENT_SECONDS" in check_problem(answer, 408)["detail"]
