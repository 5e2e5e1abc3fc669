"""The answers of the stub model, in the format of OpenAI's chat completions API.

Source: https://platform.openai.com/docs/api-reference/chat
"""

import json
import re
import time
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]


def prompt_of(request: Json) -> str:
    """The text of the user's messages. Their content is a string or a list of parts."""
    contents = [message.get("content") for message in request["messages"] if message["role"] == "user"]
    return "\n".join(_text(content) for content in contents)


def completion(request: Json, number: int) -> Json:
    """The answer to a request: a call of the first tool, or a text once the request contains the tool's result."""
    message = _message(request, number)
    reason = "tool_calls" if "tool_calls" in message else "stop"
    return {
        **_envelope(request, number, "chat.completion"),
        "choices": [{"index": 0, "message": message, "finish_reason": reason, "logprobs": None}],
        "usage": _usage(request, message),
    }


def events(request: Json, number: int) -> Iterator[bytes]:
    """The same answer as server-sent events: one for each word, or one for the tool call."""
    message = _message(request, number)
    envelope = _envelope(request, number, "chat.completion.chunk")
    calls = message.get("tool_calls")
    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    if calls:
        deltas.append({"tool_calls": [{"index": index, **call} for index, call in enumerate(calls)]})
    else:
        deltas += [{"content": word} for word in re.findall(r"\s*\S+", message["content"])]
    for delta in deltas:
        yield _event({**envelope, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    reason = "tool_calls" if calls else "stop"
    yield _event({**envelope, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    if (request.get("stream_options") or {}).get("include_usage"):
        yield _event({**envelope, "choices": [], "usage": _usage(request, message)})
    yield b"data: [DONE]\n\n"


def error(message: str, kind: str) -> Json:
    """The body of a response that is not 200."""
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


def models() -> Json:
    """The list of models. Any other name is accepted too."""
    return {"object": "list", "data": [{"id": "stub", "object": "model", "created": 0, "owned_by": "stub"}]}


def _message(request: Json, number: int) -> Json:
    tools, results = request.get("tools") or [], _tool_results(request)
    if tools and not results and request.get("tool_choice") != "none":
        function = tools[0]["function"]
        arguments = _arguments(function.get("parameters") or {}, prompt_of(request))
        call = {"name": function["name"], "arguments": json.dumps(arguments)}
        tool_calls = [{"id": f"call_{number}", "type": "function", "function": call}]
        return {"role": "assistant", "content": None, "tool_calls": tool_calls}
    text = f"The stub model read a prompt of {len(prompt_of(request))} characters."
    if results:
        text += f" The tool said: {' '.join(results)}"
    return {"role": "assistant", "content": text}


def _tool_results(request: Json) -> list[str]:
    """The results of tools since the last message of the user."""
    results: list[str] = []
    for message in request["messages"]:
        if message["role"] == "user":
            results = []
        elif message["role"] == "tool":
            results.append(_text(message.get("content")))
    return results


def _arguments(schema: Json, prompt: str) -> Json:
    """Arguments for a tool's required parameters: the first allowed value, or a simple one of the right type."""
    simple: Json = {"string": prompt, "integer": 1, "number": 1.0, "boolean": True, "array": [], "object": {}}
    properties = schema.get("properties", {})
    return {
        name: (properties[name].get("enum") or [simple.get(properties[name].get("type"))])[0]
        for name in schema.get("required", [])
    }


def _envelope(request: Json, number: int, kind: str) -> Json:
    return {"id": f"chatcmpl-{number}", "object": kind, "created": int(time.time()), "model": request["model"]}


def _usage(request: Json, message: Json) -> Json:
    """Words instead of tokens: close enough for a stub."""
    read, written = len(prompt_of(request).split()), len(str(message["content"] or "").split())
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def _text(content: object) -> str:
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content)
    return str(content or "")


def _event(data: Json) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()
