"""A caller that is cancelled cancels its task."""

import asyncio

import pytest
from starlette.responses import JSONResponse

from patterns.polling import ClientError, PollingClient
from tests.support.answers import CANCEL, STATUS, SUBMIT, accepted, problem, running, task
from tests.support.scripted_server import Answer, Script, bound_socket, hang, lost
from tests.support.waiting import until


async def _cancel_while_it_waits(script: Script) -> None:
    async with PollingClient(script.url, deadline=60, first_pause=0.01, longest_pause=0.05) as client:
        run = asyncio.create_task(client.run("compare"))
        await until(lambda: script.count(STATUS) >= 1)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run


async def test_the_task_of_a_cancelled_caller_is_cancelled_on_the_server(script: Script) -> None:
    script.on(SUBMIT, accepted()).on(STATUS, running()).on(CANCEL, JSONResponse(task("cancelled")))

    await _cancel_while_it_waits(script)

    assert script.count(CANCEL) == 1


@pytest.mark.parametrize("answer", [problem(409), problem(500), lost, hang], ids=["409", "500", "lost", "hang"])
async def test_a_cancelled_caller_does_not_wait_for_the_answer_to_cancel(script: Script, answer: Answer) -> None:
    script.on(SUBMIT, accepted()).on(STATUS, hang).on(CANCEL, answer)

    async with asyncio.timeout(20):
        await _cancel_while_it_waits(script)

    assert script.count(CANCEL) == 1


async def test_a_caller_cancelled_before_there_is_a_task_cancels_none(script: Script) -> None:
    script.on(SUBMIT, hang)
    async with PollingClient(script.url, deadline=60) as client:
        run = asyncio.create_task(client.run("compare"))
        await until(lambda: script.count(SUBMIT) >= 1)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    assert script.count(CANCEL) == 0


async def test_a_task_that_cannot_be_cancelled_any_more_is_reported(script: Script) -> None:
    script.on(CANCEL, problem(409, "Already finished", "The task is already completed."))

    async with PollingClient(script.url) as client:
        with pytest.raises(ClientError, match="409 Already finished: The task is already completed"):
            await client.cancel("1")


async def test_a_server_that_cannot_be_reached_is_reported() -> None:
    with bound_socket() as nobody_listens:
        async with PollingClient(f"http://127.0.0.1:{nobody_listens.getsockname()[1]}", deadline=20) as client:
            with pytest.raises(ClientError, match="cannot be reached"):
                await client.cancel("1")
