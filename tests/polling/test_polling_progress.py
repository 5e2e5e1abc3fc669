"""Progress is reported while the task runs: each percentage once, never backwards, and each new message."""

import asyncio

import pytest

from patterns.polling import PollingClient
from tests.support.answers import STATUS, SUBMIT, accepted, completed, running
from tests.support.scripted_server import Script


@pytest.fixture
def client(script: Script) -> PollingClient:
    percentages = (10, 10, 40, 30, 40, 70)
    script.on(SUBMIT, accepted()).on(STATUS, *(running(percent) for percent in percentages), completed())
    return PollingClient(script.url, deadline=20, hold=30, first_pause=0.005, longest_pause=0.01)


async def test_a_plain_callback_gets_each_new_percentage(client: PollingClient) -> None:
    shown: list[int] = []

    await client.run("compare", on_progress=shown.append)

    assert shown == [0, 10, 40, 70, 100]


async def test_an_async_callback_is_awaited(client: PollingClient) -> None:
    shown: list[int] = []

    async def show(percent: int) -> None:
        await asyncio.sleep(0)
        shown.append(percent)

    await client.run("compare", on_progress=show)

    assert shown == [0, 10, 40, 70, 100]


async def test_with_a_progress_callback_answers_are_held_for_a_second_only(
    client: PollingClient, script: Script
) -> None:
    await client.run("compare", on_progress=lambda percent: None)

    assert {request.headers["prefer"] for request in script.seen(STATUS)} == {"wait=1"}


async def test_a_callback_that_raises_ends_the_wait_with_its_own_error(client: PollingClient) -> None:
    def refuse(percent: int) -> None:
        raise KeyError(percent)

    with pytest.raises(KeyError):
        await client.run("compare", on_progress=refuse)


async def test_a_timeout_error_of_the_callback_is_not_mistaken_for_the_deadline(client: PollingClient) -> None:
    def show(percent: int) -> None:
        raise TimeoutError("the progress bar is away")

    with pytest.raises(TimeoutError, match="the progress bar is away"):
        await client.run("compare", on_progress=show)


async def test_a_callback_gets_each_new_message(script: Script) -> None:
    messages = (None, "page 1", "page 1", "page 2", None, "page 2")
    script.on(SUBMIT, accepted()).on(STATUS, *(running(10, message) for message in messages), completed())
    shown: list[str] = []

    async with PollingClient(script.url, deadline=20, hold=30, first_pause=0.005, longest_pause=0.01) as client:
        await client.run("compare", on_message=shown.append)

    assert shown == ["page 1", "page 2"]
    assert {request.headers["prefer"] for request in script.seen(STATUS)} == {"wait=1"}
