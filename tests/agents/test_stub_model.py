"""The stub model over HTTP, as a client of OpenAI's API sees it."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.agents.stub_server import ServedStub, served_stub
from tests.support.waiting import until

TOOL = {
    "type": "function",
    "function": {
        "name": "look_up",
        "parameters": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "enum": ["Acme", "Borealis"]},
                "question": {"type": "string"},
                "limit": {"type": "integer"},
                "note": {"type": "string"},
            },
            "required": ["name", "question", "limit"],
        },
    },
}


@pytest.fixture(scope="module")
def stub() -> Iterator[ServedStub]:
    """One stub for all tests of this file: each has its own prompt."""
    with served_stub() as served:
        yield served


@pytest.fixture(scope="module")
def http(stub: ServedStub) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stub.url, trust_env=False, timeout=30) as client:
        yield client


def request(prompt: str, **more: Any) -> dict[str, Any]:
    """A request for a completion."""
    return {"model": "stub", "messages": [{"role": "user", "content": prompt}], **more}


def complete(http: httpx.Client, prompt: str, **more: Any) -> httpx.Response:
    return http.post("/v1/chat/completions", json=request(prompt, **more))


def deltas(answer: httpx.Response) -> list[dict[str, Any]]:
    """The events of a stream; the mark at its end is checked and left out."""
    *events, done = answer.text.strip().split("\n\n")
    assert done == "data: [DONE]"
    return [json.loads(event.removeprefix("data: ")) for event in events]


def test_a_prompt_is_answered_with_a_text(http: httpx.Client) -> None:
    answer = complete(http, "compare").json()

    assert answer["object"] == "chat.completion"
    assert answer["model"] == "stub"
    [choice] = answer["choices"]
    assert choice["finish_reason"] == "stop"
    assert choice["message"] == {"role": "assistant", "content": "The stub model read a prompt of 7 characters."}
    assert answer["usage"] == {"prompt_tokens": 1, "completion_tokens": 9, "total_tokens": 10}


def test_a_stream_contains_the_same_text_word_by_word(http: httpx.Client) -> None:
    answer = complete(http, "stream this", stream=True, stream_options={"include_usage": True})

    assert answer.headers["content-type"] == "text/event-stream"
    *events, last, usage = deltas(answer)
    words = [event["choices"][0]["delta"]["content"] for event in events]
    assert len(words) > 5
    assert "".join(words) == complete(http, "stream this").json()["choices"][0]["message"]["content"]
    assert last["choices"][0]["finish_reason"] == "stop"
    assert usage["choices"] == []
    assert usage["usage"]["total_tokens"] == 11


def test_the_first_tool_is_called_with_arguments_that_its_schema_allows(http: httpx.Client) -> None:
    [choice] = complete(http, "which?", tools=[TOOL]).json()["choices"]

    assert choice["finish_reason"] == "tool_calls"
    [call] = choice["message"]["tool_calls"]
    assert call["function"]["name"] == "look_up"
    assert json.loads(call["function"]["arguments"]) == {"name": "Acme", "question": "which?", "limit": 1}


def test_a_stream_calls_the_tool_too(http: httpx.Client) -> None:
    _, event, last = deltas(complete(http, "which, streamed?", tools=[TOOL], stream=True))

    [call] = event["choices"][0]["delta"]["tool_calls"]
    assert (call["index"], call["function"]["name"]) == (0, "look_up")
    assert last["choices"][0]["finish_reason"] == "tool_calls"


def test_a_tools_result_is_part_of_the_answer(http: httpx.Client) -> None:
    called = complete(http, "then", tools=[TOOL]).json()["choices"][0]["message"]
    result = {"role": "tool", "tool_call_id": called["tool_calls"][0]["id"], "content": "Acme is cheap."}
    conversation = [*request("then")["messages"], called, result]

    answer = http.post("/v1/chat/completions", json={"model": "stub", "messages": conversation, "tools": [TOOL]}).json()

    assert answer["choices"][0]["message"]["content"].endswith("The tool said: Acme is cheap.")


def test_a_prompt_may_come_in_parts(stub: ServedStub, http: httpx.Client) -> None:
    parts = [{"type": "text", "text": "two"}, {"type": "text", "text": "parts"}]

    assert http.post("/v1/chat/completions", json=request(parts)).status_code == 200  # type: ignore[arg-type]
    assert stub.states("two parts") == ["answered"]


@pytest.mark.parametrize("prompt", ["stub:hang", "stub:slow=600", "stub:slow=600 streamed"])
async def test_an_open_call_is_cut_when_the_client_gives_up(stub: ServedStub, prompt: str) -> None:
    async with httpx.AsyncClient(base_url=stub.url, trust_env=False, timeout=600) as client:
        body = request(prompt, stream=prompt.endswith("streamed"))
        waiting = asyncio.create_task(client.post("/v1/chat/completions", json=body))
        await until(lambda: stub.states(prompt) == ["open"])
        waiting.cancel()
        await asyncio.wait([waiting])
        await until(lambda: stub.states(prompt) == ["cut"])
        calls = (await client.get("/stub/calls")).json()

    [call] = [call for call in calls if call["prompt"] == prompt]
    assert call["number"] > 0
    assert call | {"number": 0} == {
        "number": 0,
        "model": "stub",
        "prompt": prompt,
        "stream": prompt.endswith("streamed"),
        "behaviour": prompt[5:9],
        "status": 200,
        "state": "cut",
    }


def test_a_slow_call_is_answered_eventually(stub: ServedStub, http: httpx.Client) -> None:
    assert complete(http, "stub:slow=0.1").status_code == 200
    assert stub.states("stub:slow=0.1") == ["answered"]


@pytest.mark.parametrize(("code", "kind"), [(429, "rate_limit_error"), (500, "server_error")])
def test_an_error_is_sent_as_often_as_the_marker_says(http: httpx.Client, code: int, kind: str) -> None:
    first, second, third = (complete(http, f"stub:{code}=2") for _ in range(3))

    assert (first.status_code, second.status_code, third.status_code) == (code, code, 200)
    assert first.json()["error"]["type"] == kind
    assert first.headers.get("retry-after") == ("1" if code == 429 else None)


def test_an_error_without_a_number_is_always_sent(http: httpx.Client) -> None:
    assert {complete(http, "stub:429").status_code for _ in range(4)} == {429}


@pytest.mark.parametrize("stream", [False, True])
def test_a_cut_answer_starts_and_does_not_end(stub: ServedStub, http: httpx.Client, stream: bool) -> None:
    prompt = f"stub:cut {stream}"
    with http.stream("POST", "/v1/chat/completions", json=request(prompt, stream=stream)) as answer:
        assert answer.status_code == 200
        pieces = answer.iter_bytes()
        assert next(pieces)
        with pytest.raises(httpx.RemoteProtocolError):
            list(pieces)

    stub.until(prompt, "cut")


def test_the_name_of_the_model_can_contain_the_marker(http: httpx.Client) -> None:
    assert complete(http, "any prompt", model="stub-500").status_code == 500


def test_other_words_are_not_markers(http: httpx.Client) -> None:
    assert complete(http, "a stub:hangar and a stub: 429").status_code == 200


def test_the_models_are_listed(http: httpx.Client) -> None:
    assert [model["id"] for model in http.get("/v1/models").json()["data"]] == ["stub"]


@pytest.mark.parametrize("body", [b"", b"[]", b'{"model": "stub"}', b'{"model": "stub", "messages": ["hello"]}'])
def test_a_bad_request_gets_400_in_the_shape_of_an_api_error(http: httpx.Client, body: bytes) -> None:
    answer = http.post("/v1/chat/completions", content=body)

    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
