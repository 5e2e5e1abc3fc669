"""The client against the real polling pattern."""

import asyncio

import httpx
import pytest
from starlette.responses import Response

from patterns.polling import PollingClient, SubmitRefused, TaskFailed
from tests.support.answers import SUBMIT
from tests.support.scripted_server import Script, Seen, lost
from tests.support.serving import Served


async def test_a_task_runs_to_its_result_and_shows_its_progress(polled: Served) -> None:
    shown: list[int] = []

    async with PollingClient(polled.url, deadline=60) as client:
        task = await client.run("compare the vendors", on_progress=shown.append)

    assert task.status == "completed"
    assert task.result
    assert shown == sorted(set(shown))
    assert shown[-1] == 100


async def test_many_tasks_of_one_client_each_get_their_own_result(polled: Served) -> None:
    async with PollingClient(polled.url, deadline=60) as client:
        tasks = await asyncio.gather(*(client.run("x" * length) for length in range(1, 8)))

    assert [f"prompt of {length} characters" in (task.result or "") for length, task in enumerate(tasks, 1)] == [
        True
    ] * 7


async def test_a_failing_agent_raises_with_its_error(polled: Served) -> None:
    async with PollingClient(polled.url, deadline=60) as client:
        with pytest.raises(TaskFailed, match="agent_error"):
            await client.run("fail: please")


async def test_a_refused_body_raises_with_the_detail(polled: Served) -> None:
    async with PollingClient(polled.url, deadline=60) as client:
        with pytest.raises(SubmitRefused, match="callback_url"):
            await client.run("compare", callback_url="http://127.0.0.1:9/")


async def test_a_cancelled_caller_leaves_a_cancelled_task(polled: Served) -> None:
    accepted: list[str] = []

    async def note(answer: httpx.Response) -> None:
        accepted.extend(answer.headers.get_list("location"))

    started = asyncio.Event()
    async with httpx.AsyncClient(event_hooks={"response": [note]}, trust_env=False) as http:
        client = PollingClient(polled.url, deadline=60, http=http)
        run = asyncio.create_task(client.run("hang: for ever", on_progress=lambda percent: started.set()))
        await started.wait()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        status = await http.get(f"{polled.url}{accepted[0]}")

    assert status.json()["status"] == "cancelled"


async def test_a_submit_whose_answer_was_lost_creates_one_task(polled: Served, script: Script) -> None:
    accepted: list[str] = []

    async def hand_on(seen: Seen) -> Response:
        headers = {name: seen.headers[name] for name in ("content-type", "idempotency-key")}
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.post(f"{polled.url}/agent/submit", content=seen.body, headers=headers)
        accepted.append(answer.json()["task_id"])
        return Response(answer.content, answer.status_code)

    async def hand_on_and_lose_the_answer(seen: Seen) -> Response:
        await hand_on(seen)
        return await lost(seen)

    script.on(SUBMIT, hand_on_and_lose_the_answer, hand_on)
    async with PollingClient(script.url, deadline=60, first_pause=0.01) as client:
        task = await client.submit("compare")

    assert accepted == [task.task_id, task.task_id]
