"""What a client reads in a response: the task, or the error to raise, and whether the server held the response."""

import re

import httpx
from pydantic import BaseModel, ValidationError

from patterns.contract.client_errors import ClientError, SubmitRefused, TaskLost
from patterns.contract.task import Task

#: A response that arrives sooner was not held, whatever its header says.
_MIN_HOLD_SECONDS = 0.1
#: An error message fits on one line of a log or a terminal.
_MAX_CHARACTERS = 500


class _ProblemText(BaseModel):
    """The human-readable members of a problem (RFC 9457)."""

    title: str
    detail: str


def accepted_task(response: httpx.Response) -> Task:
    """The new task in the response to a submit. Raises `SubmitRefused` for a 4xx, else `ClientError`."""
    if response.is_client_error:
        raise SubmitRefused(explanation(response))
    return _task(response, 202)


def current_task(response: httpx.Response, last_seen: Task) -> Task:
    """The task in the response to a status request. Raises `TaskLost` or `ClientError`, with the task as last seen."""
    if response.status_code == 404:
        raise TaskLost("The server no longer knows the task: it restarted, or the record has expired.", last_seen)
    return _task(response, 200, last_seen)


def cancelled_task(response: httpx.Response) -> Task:
    """The task in the response to a cancel request. Raises `ClientError` if it was not cancelled."""
    return _task(response, 200)


def was_held(response: httpx.Response) -> bool:
    """Whether the server really held this response, as its `Preference-Applied: wait=N` (RFC 7240) claims.

    N may be less than the client asked for. A finished task counts as held: there was nothing to wait for.
    """
    applied = re.search(r"\bwait=(\d+(?:\.\d+)?)", response.headers.get("preference-applied", ""))
    if applied is None:
        return False
    min_seconds = max(_MIN_HOLD_SECONDS, float(applied[1]) / 2)
    return response.elapsed.total_seconds() >= min_seconds or _task(response, 200).finished


def explanation(response: httpx.Response) -> str:
    """What went wrong and what to do, in one line. An HTML page of another server or a proxy is not quoted."""
    try:
        problem = _ProblemText.model_validate_json(response.content)
    except ValidationError:
        reason = httpx.codes.get_reason_phrase(response.status_code)
        origin = f"{response.url.scheme}://{response.url.netloc.decode()}"
        check = f"Check that {origin} is the server of a pattern, and that no proxy answers in its place."
        return f"{f'{response.status_code} {reason}'.strip()}. {check}"
    return " ".join(f"{response.status_code} {problem.title}: {problem.detail}".split())[:_MAX_CHARACTERS]


def _task(response: httpx.Response, expected: int, last_seen: Task | None = None) -> Task:
    if response.status_code != expected:
        raise ClientError(explanation(response), last_seen)
    try:
        return Task.model_validate_json(response.content)
    except ValidationError:
        raise ClientError(f"The response contains no task: {explanation(response)}", last_seen) from None
