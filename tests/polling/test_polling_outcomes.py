"""What `PollingClient.run` returns, and what it raises."""

import pytest
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse

from patterns.polling import ClientError, PollingClient, SubmitRefused, TaskCancelled, TaskFailed, TaskLost
from tests.support.answers import STATUS, SUBMIT, accepted, completed, problem, running, task
from tests.support.scripted_server import Script


@pytest.fixture
def client(script: Script) -> PollingClient:
    return PollingClient(script.url, deadline=20, first_pause=0.01, longest_pause=0.05)


async def test_it_submits_the_prompt_and_returns_the_completed_task(script: Script, client: PollingClient) -> None:
    script.on(SUBMIT, accepted()).on(STATUS, running(40), completed("The answer."))

    task = await client.run("compare the vendors")

    assert (task.task_id, task.status, task.result) == ("1", "completed", "The answer.")
    assert [request.json for request in script.seen(SUBMIT)] == [{"prompt": "compare the vendors"}]


async def test_more_fields_go_into_the_body_beside_the_prompt(script: Script, client: PollingClient) -> None:
    script.on(SUBMIT, accepted())

    await client.submit("compare", callback_url="http://127.0.0.1:9/")

    assert script.seen(SUBMIT)[0].json == {"prompt": "compare", "callback_url": "http://127.0.0.1:9/"}


async def test_a_failed_task_raises_with_its_code_its_message_and_the_task(
    script: Script, client: PollingClient
) -> None:
    error = {"code": "agent_error", "message": "RuntimeError: out of tokens"}
    script.on(SUBMIT, accepted()).on(STATUS, JSONResponse(task("failed", 50, error=error)))

    with pytest.raises(TaskFailed, match="agent_error: RuntimeError: out of tokens") as raised:
        await client.run("fail")

    assert raised.value.task is not None
    assert (raised.value.task.status, raised.value.task.progress) == ("failed", 50)


async def test_a_cancelled_task_raises_with_the_task(script: Script, client: PollingClient) -> None:
    script.on(SUBMIT, accepted()).on(STATUS, running(10), JSONResponse(task("cancelled", 10)))

    with pytest.raises(TaskCancelled) as raised:
        await client.run("compare")

    assert raised.value.task is not None
    assert raised.value.task.status == "cancelled"


async def test_a_task_that_the_server_no_longer_knows_raises_with_the_task_as_last_seen(
    script: Script, client: PollingClient
) -> None:
    script.on(SUBMIT, accepted()).on(STATUS, running(70), problem(404))

    with pytest.raises(TaskLost) as raised:
        await client.run("compare")

    assert raised.value.task is not None
    assert (raised.value.task.status, raised.value.task.progress) == ("running", 70)
    assert script.count(STATUS) == 2


async def test_a_refused_status_request_raises_with_the_task_and_is_not_repeated(
    script: Script, client: PollingClient
) -> None:
    script.on(SUBMIT, accepted()).on(STATUS, problem(500, "Server error", "Its log has the details."))

    with pytest.raises(ClientError, match="500 Server error: Its log has the details") as raised:
        await client.run("compare")

    assert raised.value.task is not None
    assert script.count(STATUS) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422])
async def test_a_refused_submit_is_sent_once_and_raises_with_the_detail(
    script: Script, client: PollingClient, status: int
) -> None:
    script.on(SUBMIT, problem(status, "No", "Not like this.", retry_after="0"))

    with pytest.raises(SubmitRefused, match=f"{status} No: Not like this") as raised:
        await client.run("compare")

    assert raised.value.task is None
    assert script.count(SUBMIT) == 1


async def test_a_refusal_without_a_problem_document_is_reported_by_its_status(
    script: Script, client: PollingClient
) -> None:
    script.on(SUBMIT, HTMLResponse("<html>\n<h1>No such page</h1>\n</html>", 404))

    with pytest.raises(SubmitRefused, match=r"^404 Not Found\. Check that http://127\.0\.0\.1:") as raised:
        await client.submit("compare")

    assert "<" not in str(raised.value)
    assert "\n" not in str(raised.value)


async def test_a_status_without_a_name_is_reported_as_a_number(script: Script, client: PollingClient) -> None:
    script.on(SUBMIT, PlainTextResponse("no", 499))

    with pytest.raises(SubmitRefused, match=r"^499\. Check that "):
        await client.submit("compare")


async def test_a_detail_of_many_lines_becomes_one_line(script: Script, client: PollingClient) -> None:
    script.on(SUBMIT, problem(400, "No", f"first\nsecond{' more' * 1000}"))

    with pytest.raises(SubmitRefused, match=r"^400 No: first second more") as raised:
        await client.submit("compare")

    assert len(str(raised.value)) <= 500


async def test_an_invalid_url_is_reported() -> None:
    async with PollingClient("localhost:8000", deadline=20) as client:
        with pytest.raises(ClientError, match="not an http or https URL"):
            await client.run("compare")


async def test_a_server_error_is_not_a_refusal(script: Script, client: PollingClient) -> None:
    script.on(SUBMIT, problem(500, "Server error", "Its log has the details."))

    with pytest.raises(ClientError, match="500 Server error") as raised:
        await client.run("compare")

    assert not isinstance(raised.value, SubmitRefused)


@pytest.mark.parametrize("broken", [SUBMIT, STATUS])
async def test_an_answer_without_a_task_is_reported_by_its_status(
    script: Script, client: PollingClient, broken: str
) -> None:
    page = HTMLResponse("<h1>It works!</h1>", 202 if broken == SUBMIT else 200)
    answers = {SUBMIT: accepted(), STATUS: completed()} | {broken: page}
    script.on(SUBMIT, answers[SUBMIT]).on(STATUS, answers[STATUS])

    with pytest.raises(ClientError, match=r"contains no task: 20\d \w+\. Check that http://") as raised:
        await client.run("compare")

    assert "It works" not in str(raised.value)
    assert (raised.value.task is None) == (broken == SUBMIT)
