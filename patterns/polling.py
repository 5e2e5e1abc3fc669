"""Polite polling: the client asks, but it asks well.

The idea. The server is the in-memory queue, unchanged; what differs is who asks it, and how. `PollingClient`
lets the server hold the answer until there is one (`Prefer: wait`), waits as long as `Retry-After` says,
otherwise backs off with jitter, and gives up at one deadline over everything.

Use it when clients cannot be called back: browsers, notebooks, scripts behind a firewall.

It breaks when the fleet of clients grows: each one holds a connection or asks again and again, finished or
not. And a client that died before the outcome must know its task id to ask again. What the in-memory queue loses
when its process ends, this loses too.
"""

import asyncio
import inspect
import re
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self
from uuid import uuid4

import httpx
from fastapi import FastAPI
from pydantic import ValidationError

from patterns import POLLING
from patterns.contract import Task, TaskStatus
from patterns.contract.backoff import full_jitter, retry_after
from patterns.in_memory_queue import app_for

OnProgress = Callable[[int], object]

#: With a progress callback the server is asked to hold its answer this long only, so that progress is seen.
_PROGRESS_SECONDS = 1.0
#: An answer that came sooner was not held, whatever it says.
_HELD_SECONDS = 0.1
#: The server, or a proxy before it, is away or has too much to do, for the moment (RFC 9110, 15.5.9 and 15.6; RFC 6585,
#: 4). All that is sent may be sent again: a submit has a key.
_FOR_THE_MOMENT = frozenset({408, 429, 502, 503, 504})
#: A cancelled caller waits this long, and no longer, for the server to be told.
_CANCEL_SECONDS = 2.0


def create_app() -> FastAPI:
    """The in-memory queue's app: this pattern is about its client."""
    return app_for(POLLING)


class ClientError(Exception):
    """What `PollingClient` raises. `task` is the task as last seen, or None if none was accepted."""

    def __init__(self, message: str, task: Task | None = None) -> None:
        super().__init__(message)
        self.task = task


class SubmitRefused(ClientError):
    """The server refused the request (a 4xx other than 408 and 429), and would refuse it again."""


class TaskFailed(ClientError):
    """The task ended as failed; `task.error` has the code and the message."""


class TaskCancelled(ClientError):
    """Somebody cancelled the task."""


class TaskLost(ClientError):
    """The server no longer knows the task: it restarted without its records, or they have expired."""


class DeadlineExceeded(ClientError):
    """The deadline passed first. The task may still run; `task.task_id` finds it."""


class PollingClient:
    """An asyncio client for any of the patterns.

    `deadline` is in seconds, over submit, retries and waiting together. `hold` is how long the server is asked
    to hold an answer (0: plain polling). Without a `Retry-After`, pauses grow from `first_pause` to at most
    `longest_pause` seconds, with full jitter.
    """

    def __init__(
        self,
        base_url: str,
        *,
        deadline: float = 600.0,
        hold: float = 20.0,
        first_pause: float = 0.5,
        longest_pause: float = 10.0,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._deadline = deadline
        self._hold = hold
        self._first_pause, self._longest_pause = first_pause, longest_pause
        self._http = http or httpx.AsyncClient(timeout=httpx.Timeout(10.0, read=hold + 10.0))
        self._owns_http = http is None
        self._server_holds = False  # learnt from its answers

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections, if this client opened them."""
        if self._owns_http:
            await self._http.aclose()

    async def run(self, prompt: str, on_progress: OnProgress | None = None, **fields: str) -> Task:
        """Submit, wait, and return the completed task; its `result` is the agent's answer.

        `on_progress` gets each new percentage; it may be async. `fields` go into the body beside the prompt.
        Raises `SubmitRefused`, `TaskFailed`, `TaskCancelled`, `TaskLost`, `DeadlineExceeded`, and `ClientError`
        itself for an answer that is none of the contract's. When the caller is cancelled, the task is cancelled
        too; not when that comes while the submit is on its way, as nobody knows its id yet.
        """
        limit = asyncio.timeout(self._deadline)
        conversation = _Conversation(asyncio.get_running_loop().time() + self._deadline)
        try:
            async with limit:
                answer = await self._submit(conversation, {"prompt": prompt, **fields})
                task = await self._outcome(conversation, answer, on_progress)
        except TimeoutError:
            if not limit.expired():  # it is one of `on_progress`
                raise
            raise conversation.deadline_exceeded(self._deadline) from None
        except asyncio.CancelledError:
            if conversation.task:
                await self._cancel_quietly(conversation.task.task_id)
            raise
        return completed(task)

    async def submit(self, prompt: str, **fields: str) -> Task:
        """Submit only, and return the accepted task. Raises `SubmitRefused`, `DeadlineExceeded`, `ClientError`."""
        conversation = _Conversation(asyncio.get_running_loop().time() + self._deadline)
        try:
            async with asyncio.timeout(self._deadline):
                answer = await self._submit(conversation, {"prompt": prompt, **fields})
        except TimeoutError:
            raise conversation.deadline_exceeded(self._deadline) from None
        return _task(answer)

    async def cancel(self, task_id: str) -> Task:
        """Cancel a task. Raises `ClientError` when the server says no, or cannot be reached."""
        try:
            answer = await self._http.post(f"{self._base_url}/agent/cancel/{task_id}")
        except httpx.TransportError as error:
            raise ClientError(self._unreached(error)) from error
        if answer.status_code != 200:
            raise ClientError(_detail(answer))
        return _task(answer)

    def _unreached(self, error: httpx.TransportError) -> str:
        return f"{self._base_url} cannot be reached ({type(error).__name__})."

    async def _submit(self, conversation: "_Conversation", body: Mapping[str, str]) -> httpx.Response:
        # The key makes it safe to send the request again when nobody knows whether it arrived.
        headers = {"Idempotency-Key": uuid4().hex}
        answer = await self._ask(conversation, "POST", "/agent/submit", json=body, headers=headers)
        if answer.status_code != 202:
            raise (SubmitRefused if 400 <= answer.status_code < 500 else ClientError)(_detail(answer))
        conversation.task = _task(answer)
        return answer

    async def _outcome(
        self, conversation: "_Conversation", answer: httpx.Response, on_progress: OnProgress | None
    ) -> Task:
        hold = min(self._hold, _PROGRESS_SECONDS) if on_progress else self._hold
        polls, shown = 0, -1
        while True:
            task = conversation.task = _task(answer, conversation.task)
            if on_progress and task.progress > shown:
                shown = task.progress
                await _tell(on_progress, shown)
            if task.finished:
                return task
            if not (self._server_holds and hold):
                await self._pause(conversation, answer, polls)
            polls += 1
            headers = {"Prefer": f"wait={max(1, round(hold))}"} if hold else {}
            answer = await self._ask(conversation, "GET", f"/agent/status/{task.task_id}", headers=headers)
            if answer.status_code == 404:
                raise TaskLost("The server does not know the task any more: it has restarted or expired.", task)
            if answer.status_code != 200:
                raise ClientError(_detail(answer), task)
            self._server_holds = _held(answer)

    async def _ask(
        self,
        conversation: "_Conversation",
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        json: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """One request, sent again for as long as the server cannot be reached, or cannot answer for the moment."""
        attempt = 0
        while True:
            answer = None
            try:
                answer = await self._http.request(method, f"{self._base_url}{path}", headers=dict(headers), json=json)
                if answer.status_code not in _FOR_THE_MOMENT:
                    conversation.trouble = ""
                    return answer
                conversation.trouble = _detail(answer)
            except httpx.UnsupportedProtocol as error:
                raise ClientError(f"{self._base_url} is no http or https URL.") from error
            except httpx.TransportError as error:
                conversation.trouble = self._unreached(error)
            await self._pause(conversation, answer, attempt)
            attempt += 1

    async def _pause(self, conversation: "_Conversation", answer: httpx.Response | None, attempt: int) -> None:
        told = retry_after(answer.headers) if answer is not None else None
        jitter = full_jitter(attempt, self._first_pause, self._longest_pause)
        # On top of what the server says, a little jitter: many clients were told the same. A server that says
        # "at once" (0) is backed off from as well, or each client would ask it hundreds of times in a second.
        pause = told + min(jitter, 0.1 * told) if told else jitter
        if asyncio.get_running_loop().time() + pause > conversation.ends_at:
            raise conversation.deadline_exceeded(self._deadline)
        await asyncio.sleep(pause)

    async def _cancel_quietly(self, task_id: str) -> None:
        try:
            async with asyncio.timeout(_CANCEL_SECONDS):
                await self.cancel(task_id)
        except (TimeoutError, ClientError, httpx.HTTPError):
            pass  # the caller is leaving; the server's own task timeout is the last word


class _Conversation:
    """What is known so far about one task."""

    def __init__(self, ends_at: float) -> None:
        self.ends_at = ends_at
        self.task: Task | None = None
        self.trouble = ""

    def deadline_exceeded(self, deadline: float) -> DeadlineExceeded:
        seen = f"the task is {self.task.status}" if self.task else "no task was accepted"
        return DeadlineExceeded(f"After {deadline:g} s {seen}. {self.trouble}".strip(), self.task)


def completed(task: Task) -> Task:
    """The task itself, if it is completed. Raises `TaskFailed` or `TaskCancelled`."""
    if task.status is TaskStatus.FAILED:
        raise TaskFailed(f"{task.error.code}: {task.error.message}" if task.error else "The task failed.", task)
    if task.status is TaskStatus.CANCELLED:
        raise TaskCancelled("The task was cancelled.", task)
    return task


async def _tell(on_progress: OnProgress, percent: int) -> None:
    outcome = on_progress(percent)
    if inspect.isawaitable(outcome):
        await outcome


def _held(answer: httpx.Response) -> bool:
    """Whether the server held this answer, and did not only say so. One with the outcome need not be held."""
    said = re.search(r"\bwait=(\d+(?:\.\d+)?)", answer.headers.get("preference-applied", ""))
    if said is None:
        return False
    enough = max(_HELD_SECONDS, float(said[1]) / 2)  # it may hold for less than it was asked to, and says for how long
    return answer.elapsed.total_seconds() >= enough or _task(answer).finished


def _task(answer: httpx.Response, before: Task | None = None) -> Task:
    """The task in an answer. Raises `ClientError`, with the task as it was seen before, when there is none in it."""
    try:
        return Task.model_validate_json(answer.content)
    except ValidationError:
        raise ClientError(f"The answer is no task: {_detail(answer)}", before) from None


def _detail(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
        return f"{answer.status_code} {problem['title']}: {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {answer.text[:200]}"


if __name__ == "__main__":
    from patterns.cli.commands import serve_module

    serve_module("polling")
