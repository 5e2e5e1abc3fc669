"""What is retried: a server that cannot be reached, an answer that gets lost, and 503. Always with the same key."""

import asyncio

import httpx
import pytest
from starlette.responses import PlainTextResponse

from patterns.polling import DeadlineExceeded, PollingClient
from tests.support.answers import STATUS, SUBMIT, accepted, completed, problem, running
from tests.support.scripted_server import Script, bound_socket, lost, scripted_server
from tests.support.waiting import until


def _quick(script: Script) -> PollingClient:
    return PollingClient(script.url, deadline=30, first_pause=0.01, longest_pause=0.05)


def _keys(script: Script) -> list[str]:
    return [request.headers["idempotency-key"] for request in script.seen(SUBMIT)]


async def test_a_server_that_starts_later_gets_the_task() -> None:
    tries: list[httpx.Request] = []

    async def note(request: httpx.Request) -> None:
        tries.append(request)

    port = bound_socket()
    async with httpx.AsyncClient(event_hooks={"request": [note]}) as http:
        url = f"http://127.0.0.1:{port.getsockname()[1]}/script-1"
        client = PollingClient(url, deadline=30, first_pause=0.01, longest_pause=0.05, http=http)
        run = asyncio.create_task(client.run("compare"))
        await until(lambda: len(tries) >= 3)  # nobody listens yet
        with scripted_server(port) as scripts:
            script = scripts.script().on(SUBMIT, accepted()).on(STATUS, completed())
            task = await run

    assert task.status == "completed"
    assert script.count(SUBMIT) == 1
    assert len({request.headers["idempotency-key"] for request in tries if request.method == "POST"}) == 1


async def test_a_submit_is_sent_again_with_the_same_key_after_503(script: Script) -> None:
    script.on(SUBMIT, problem(503), problem(503), accepted()).on(STATUS, completed())

    await _quick(script).run("compare")

    assert len(_keys(script)) == 3
    assert len(set(_keys(script))) == 1
    assert len({request.body for request in script.seen(SUBMIT)}) == 1


async def test_a_submit_whose_answer_was_lost_is_sent_again_with_the_same_key(script: Script) -> None:
    script.on(SUBMIT, lost, lost, accepted()).on(STATUS, completed())

    await _quick(script).run("compare")

    assert len(_keys(script)) == 3
    assert len(set(_keys(script))) == 1


async def test_each_task_gets_its_own_key(script: Script) -> None:
    script.on(SUBMIT, accepted()).on(STATUS, completed())

    await _quick(script).run("compare")
    await _quick(script).run("compare")

    assert len(set(_keys(script))) == 2


async def test_a_status_request_is_sent_again_after_503_and_after_a_lost_answer(script: Script) -> None:
    script.on(SUBMIT, accepted()).on(STATUS, problem(503), lost, running(), lost, completed())

    task = await _quick(script).run("compare")

    assert task.status == "completed"
    assert script.count(STATUS) == 5
    assert script.count(SUBMIT) == 1


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
async def test_temporary_errors_are_retried_at_submit_and_at_status(script: Script, status: int) -> None:
    away = PlainTextResponse("a proxy says so", status)
    script.on(SUBMIT, away, accepted()).on(STATUS, running(), away, completed())

    task = await _quick(script).run("compare")

    assert task.status == "completed"
    assert (script.count(SUBMIT), script.count(STATUS)) == (2, 3)
    assert len(set(_keys(script))) == 1


async def test_an_error_that_is_over_is_not_reported_at_the_deadline(script: Script) -> None:
    script.on(SUBMIT, problem(503, "Queue full", "7 tasks wait."), accepted()).on(STATUS, running())

    with pytest.raises(DeadlineExceeded) as raised:
        await PollingClient(script.url, deadline=1, first_pause=0.01, longest_pause=0.02).run("compare")

    assert str(raised.value) == "After 1 s the task is running."
