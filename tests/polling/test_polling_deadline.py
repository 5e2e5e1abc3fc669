"""One deadline is over everything: submit, retries, pauses, waiting."""

import asyncio

import pytest

from patterns.polling import DeadlineExceeded, PollingClient
from tests.support.answers import STATUS, SUBMIT, accepted, problem, running
from tests.support.scripted_server import Script, bound_socket, hang


async def _too_late(client: PollingClient) -> DeadlineExceeded:
    async with client:
        with pytest.raises(DeadlineExceeded) as raised:
            await client.run("compare")
    return raised.value


async def test_a_server_that_hangs_at_submit_is_given_up(script: Script) -> None:
    script.on(SUBMIT, hang)

    error = await _too_late(PollingClient(script.url, deadline=0.2))

    assert error.task is None
    assert "no task was accepted" in str(error)


async def test_a_server_that_hangs_at_status_is_given_up_and_the_error_has_the_task(script: Script) -> None:
    script.on(SUBMIT, accepted()).on(STATUS, running(30), hang)

    error = await _too_late(PollingClient(script.url, deadline=0.5, first_pause=0.01))

    assert error.task is not None
    assert (error.task.task_id, error.task.progress) == ("1", 30)
    assert "the task is running" in str(error)


async def test_told_to_come_back_after_the_deadline_it_gives_up_at_once(script: Script) -> None:
    script.on(SUBMIT, accepted()).on(STATUS, running(retry_after="7200"))

    # With this deadline a client that waited for it would be ended by the test's own.
    error = await _too_late(PollingClient(script.url, deadline=3600, first_pause=0.01))

    assert error.task is not None
    assert script.count(STATUS) == 1


async def test_a_submit_told_to_come_back_after_the_deadline_is_given_up_at_once(script: Script) -> None:
    script.on(SUBMIT, problem(503, "Queue full", "1000 tasks wait.", retry_after="7200"))

    error = await _too_late(PollingClient(script.url, deadline=3600))

    assert error.task is None
    assert "Queue full: 1000 tasks wait." in str(error)
    assert script.count(SUBMIT) == 1


async def test_a_server_that_says_503_for_ever_is_given_up_with_what_it_said(script: Script) -> None:
    script.on(SUBMIT, problem(503, "Queue full", "1000 tasks wait."))

    error = await _too_late(PollingClient(script.url, deadline=0.5, first_pause=0.01, longest_pause=0.1))

    assert "Queue full: 1000 tasks wait." in str(error)
    assert script.count(SUBMIT) > 1


async def test_a_server_that_is_not_there_is_given_up_with_its_name() -> None:
    with bound_socket() as nobody:
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        error = await _too_late(PollingClient(url, deadline=0.2, first_pause=0.01, longest_pause=0.05))

    assert f"{url} cannot be reached" in str(error)


async def test_a_task_that_never_finishes_is_given_up(script: Script) -> None:
    script.on(SUBMIT, accepted()).on(STATUS, running(99))

    error = await _too_late(PollingClient(script.url, deadline=0.5, first_pause=0.01, longest_pause=0.05))

    assert error.task is not None
    assert error.task.progress == 99


async def test_a_progress_callback_that_hangs_does_not_outlive_it_either(script: Script) -> None:
    script.on(SUBMIT, accepted()).on(STATUS, running(30))

    async def never_ends(percent: int) -> None:
        await asyncio.Event().wait()

    async with PollingClient(script.url, deadline=0.3, first_pause=0.01) as client:
        with pytest.raises(DeadlineExceeded):
            await client.run("compare", on_progress=never_ends)


async def test_submit_alone_has_the_same_deadline(script: Script) -> None:
    script.on(SUBMIT, hang)

    async with PollingClient(script.url, deadline=0.2) as client:
        with pytest.raises(DeadlineExceeded):
            await client.submit("compare")
