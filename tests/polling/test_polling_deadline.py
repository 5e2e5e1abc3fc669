"""One deadline covers everything: submit, retries, pauses, waiting."""

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


async def test_the_deadline_ends_a_submit_that_hangs(script: Script) -> None:
    script.on(SUBMIT, hang)

    error = await _too_late(PollingClient(script.url, deadline=0.2))

    assert error.task is None
    assert "no task was accepted" in str(error)


async def test_the_deadline_ends_a_status_request_that_hangs_and_the_error_has_the_task(script: Script) -> None:
    script.on(SUBMIT, accepted()).on(STATUS, running(30), hang)

    error = await _too_late(PollingClient(script.url, deadline=0.5, first_pause=0.01))

    assert error.task is not None
    assert (error.task.task_id, error.task.progress) == ("1", 30)
    assert "the task is running" in str(error)


async def test_a_retry_after_beyond_the_deadline_ends_the_wait_immediately(script: Script) -> None:
    script.on(SUBMIT, accepted()).on(STATUS, running(retry_after="7200"))

    # A client that waited for this deadline would run into the timeout of the test.
    error = await _too_late(PollingClient(script.url, deadline=3600, first_pause=0.01))

    assert error.task is not None
    assert script.count(STATUS) == 1


async def test_a_retry_after_beyond_the_deadline_ends_submit_immediately(script: Script) -> None:
    script.on(SUBMIT, problem(503, "Queue full", "1000 tasks wait.", retry_after="7200"))

    error = await _too_late(PollingClient(script.url, deadline=3600))

    assert error.task is None
    assert "Queue full: 1000 tasks wait." in str(error)
    assert script.count(SUBMIT) == 1


async def test_after_503s_until_the_deadline_the_error_has_the_last_detail(script: Script) -> None:
    script.on(SUBMIT, problem(503, "Queue full", "1000 tasks wait."))

    error = await _too_late(PollingClient(script.url, deadline=0.5, first_pause=0.01, longest_pause=0.1))

    assert "Queue full: 1000 tasks wait." in str(error)
    assert script.count(SUBMIT) > 1


async def test_without_a_server_the_error_at_the_deadline_names_it() -> None:
    with bound_socket() as nobody:
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        error = await _too_late(PollingClient(url, deadline=0.2, first_pause=0.01, longest_pause=0.05))

    assert f"{url} cannot be reached" in str(error)


async def test_the_deadline_ends_the_wait_for_a_task_that_never_finishes(script: Script) -> None:
    script.on(SUBMIT, accepted()).on(STATUS, running(99))

    error = await _too_late(PollingClient(script.url, deadline=0.5, first_pause=0.01, longest_pause=0.05))

    assert error.task is not None
    assert error.task.progress == 99


async def test_the_deadline_ends_a_progress_callback_that_hangs(script: Script) -> None:
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
