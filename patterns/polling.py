"""Polite polling: the client asks for the outcome, but no more often than is useful.

The idea. The server is the in-memory queue, unchanged; the difference is the client. `PollingClient` asks the server to
hold the response until the task is finished (`Prefer: wait`). Otherwise it waits for as long as `Retry-After` says, or
backs off with jitter. One deadline covers everything.

Use it when clients cannot receive callbacks: browsers, notebooks, scripts behind a firewall.

It breaks when the number of clients grows: each holds a connection or polls until its task is finished. A client that
restarts needs its task id. And when the server's process ends, its tasks are lost, because they are in its memory.
"""

import asyncio
from contextlib import suppress
from typing import Any
from uuid import uuid4

import httpx
from starlette.types import ASGIApp

from patterns.contract import Task
from patterns.contract.backoff import full_jitter, retry_after
from patterns.contract.client import ContractClient
from patterns.contract.client_errors import (
    ClientError,
    DeadlineExceeded,
    SubmitRefused,
    TaskCancelled,
    TaskFailed,
    TaskLost,
    TemporaryError,
    completed,
)
from patterns.contract.conversation import Conversation, OnMessage, OnProgress
from patterns.contract.responses import accepted_task, current_task, was_held

__all__ = [
    "ClientError", "DeadlineExceeded", "PollingClient", "SubmitRefused", "TaskCancelled", "TaskFailed", "TaskLost",
    "completed", "create_app",
]  # fmt: skip

#: With `on_progress`, the server is asked to hold responses for this long only, so that progress is reported.
_PROGRESS_SECONDS = 1.0
#: When the caller is cancelled, the client waits at most this long for the server to cancel the task.
_CANCEL_SECONDS = 2.0


class PollingClient(ContractClient):
    """An asyncio client for any of the patterns. All times are in seconds.

    `deadline` covers submit, retries and waiting together. `hold` is how long the server is asked to hold a response
    (0: plain polling). Without a `Retry-After`, pauses grow from `first_pause` to at most `longest_pause`, with full
    jitter.
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
        super().__init__(base_url, http, read_timeout=hold + 10.0)
        self._deadline, self._hold = deadline, hold
        self._first_pause, self._longest_pause = first_pause, longest_pause
        self._server_holds = False  # known after its first response to `Prefer: wait`

    async def run(
        self, prompt: str, on_progress: OnProgress | None = None, on_message: OnMessage | None = None, **fields: str
    ) -> Task:
        """Submit a task, wait, and return it when it is completed, with the agent's `result`.

        `on_progress` is called with each new percentage, and `on_message` with each new message; both may be async.
        `fields` are added to the body of the submit. Raises `SubmitRefused`, `TaskFailed`, `TaskCancelled`, `TaskLost`,
        `DeadlineExceeded`, or `ClientError` itself for an unexpected response. A cancelled caller cancels the task too.
        """
        conversation = Conversation(self._deadline, on_progress, on_message)
        hold = min(self._hold, _PROGRESS_SECONDS) if on_progress or on_message else self._hold
        try:
            async with conversation.until_deadline():
                response = await self._submit(conversation, {"prompt": prompt, **fields})
                return completed(await self._poll(conversation, response, hold))
        except asyncio.CancelledError:
            if conversation.task:
                await self._cancel_quietly(conversation.task.task_id)
            raise

    async def submit(self, prompt: str, **fields: str) -> Task:
        """Submit a task and return it, without waiting. Raises `SubmitRefused`, `DeadlineExceeded` or `ClientError`."""
        conversation = Conversation(self._deadline)
        async with conversation.until_deadline():
            return accepted_task(await self._submit(conversation, {"prompt": prompt, **fields}))

    async def _submit(self, conversation: Conversation, body: dict[str, str]) -> httpx.Response:
        headers = {"Idempotency-Key": uuid4().hex}  # a retry creates no second task if the first response was lost
        return await self._request(conversation, "POST", "/agent/submit", headers=headers, json=body)

    async def _poll(self, conversation: Conversation, response: httpx.Response, hold: float) -> Task:
        """Poll until the task is finished. `response` is the response to the submit."""
        prefer = {"Prefer": f"wait={max(1, round(hold))}"} if hold else {}
        task, polls = await conversation.update(accepted_task(response)), 0
        while not task.finished:
            if not (hold and self._server_holds):
                await self._pause(conversation, retry_after(response.headers), polls)
            response = await self._request(conversation, "GET", f"/agent/status/{task.task_id}", headers=prefer)
            task, polls = await conversation.update(current_task(response, task)), polls + 1
            self._server_holds = was_held(response)
        return task

    async def _request(self, conversation: Conversation, method: str, path: str, **content: Any) -> httpx.Response:
        """Send a request, and retry it for as long as the server is unavailable."""
        attempt = 0
        while True:
            try:
                response = await self.send(method, path, **content)
            except TemporaryError as error:
                conversation.last_error = str(error)
                await self._pause(conversation, error.retry_after, attempt)
                attempt += 1
            else:
                conversation.last_error = ""
                return response

    async def _pause(self, conversation: Conversation, seconds: float | None, attempt: int) -> None:
        """Wait for the `seconds` in the server's `Retry-After`. Without it, or if it is 0, back off with jitter."""
        jitter = full_jitter(attempt, self._first_pause, self._longest_pause)
        # Many clients got the same `Retry-After`, so jitter spreads them.
        await conversation.pause(seconds + min(jitter, 0.1 * seconds) if seconds else jitter)

    async def _cancel_quietly(self, task_id: str) -> None:
        with suppress(TimeoutError, ClientError, httpx.HTTPError):  # if it fails, the task ends at its own timeout
            async with asyncio.timeout(_CANCEL_SECONDS):
                await self.cancel(task_id)


def create_app() -> ASGIApp:
    """The in-memory queue's app. It is imported here, so that importing the client needs no server."""
    from patterns import POLLING
    from patterns.in_memory_queue import app_for

    return app_for(POLLING)


if __name__ == "__main__":
    from patterns.cli.commands import serve_module

    serve_module("polling")
