"""What a client reads in an answer: the task, or the error to raise, and whether the server held the answer."""

import re

import httpx
from pydantic import BaseModel, ValidationError

from patterns.contract.client_errors import ClientError, SubmitRefused, TaskLost
from patterns.contract.task import Task

#: An answer that came sooner was not held, whatever its header says.
_HELD_SECONDS = 0.1
#: A message is one line of a log or a terminal.
_MOST_CHARACTERS = 500


class _Explained(BaseModel):
    """The members of a problem (RFC 9457) that are for people."""

    title: str
    detail: str


def accepted_task(answer: httpx.Response) -> Task:
    """The new task in the answer to a submit. Raises `SubmitRefused`, and `ClientError` if the server is broken."""
    if answer.is_client_error:
        raise SubmitRefused(explanation(answer))
    return _task(answer, 202)


def task_seen(answer: httpx.Response, last_seen: Task) -> Task:
    """The task in the answer to a status request. Raises `TaskLost`, `ClientError`, with the task as last seen."""
    if answer.status_code == 404:
        raise TaskLost("The server no longer knows the task: it restarted, or the record has expired.", last_seen)
    return _task(answer, 200, last_seen)


def cancelled_task(answer: httpx.Response) -> Task:
    """The task in the answer to a cancel request. Raises `ClientError` if it was not cancelled."""
    return _task(answer, 200)


def was_held(answer: httpx.Response) -> bool:
    """Whether the server held this answer (RFC 7240: `Preference-Applied: wait=N`), and did not only claim it.

    It may hold an answer for less than it was asked to, and says for how long. An outcome need not be held.
    """
    applied = re.search(r"\bwait=(\d+(?:\.\d+)?)", answer.headers.get("preference-applied", ""))
    if applied is None:
        return False
    enough = max(_HELD_SECONDS, float(applied[1]) / 2)
    return answer.elapsed.total_seconds() >= enough or _task(answer, 200).finished


def explanation(answer: httpx.Response) -> str:
    """What went wrong and what to do, in one line. The page of another server or of a proxy is not repeated."""
    try:
        problem = _Explained.model_validate_json(answer.content)
    except ValidationError:
        reason = httpx.codes.get_reason_phrase(answer.status_code)
        where = f"{answer.url.scheme}://{answer.url.netloc.decode()}"
        check = f"Check that {where} is the server of a pattern, and that no proxy answers in its place."
        return f"{f'{answer.status_code} {reason}'.strip()}. {check}"
    return " ".join(f"{answer.status_code} {problem.title}: {problem.detail}".split())[:_MOST_CHARACTERS]


def _task(answer: httpx.Response, expected: int, last_seen: Task | None = None) -> Task:
    if answer.status_code != expected:
        raise ClientError(explanation(answer), last_seen)
    try:
        return Task.model_validate_json(answer.content)
    except ValidationError:
        raise ClientError(f"The answer holds no task: {explanation(answer)}", last_seen) from None
