"""Polite polling: the client asks for the outcome, and never more often than it helps.

The idea. The server is the in-memory queue, unchanged; the client makes the difference. `PollingClient` lets the
server hold the answer until the task is finished (`Prefer: wait`), waits as long as `Retry-After` says, otherwise
backs off with jitter, and gives up at one deadline over everything.

Use it when clients cannot be called back: browsers, notebooks, scripts behind a firewall.

It breaks when the number of clients grows: each holds a connection or polls, whether its task is finished or not.
A client that restarts must have kept its task id. And what the server's process has in memory is lost with it.
"""

import asyncio
from contextlib import suppress
from typing import Any
from uuid import uuid4

import httpx
from starlette.types import ASGIApp

from patterns.contract import Task
from patterns.contract.answers import accepted_task, task_seen, was_held
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
from patterns.contract.conversation import Conversation, OnProgress

__all__ = [
    "ClientError", "DeadlineExceeded", "PollingClient", "SubmitRefused", "TaskCancelled", "TaskFailed", "TaskLost",
    "completed", "create_app",
]  # fmt: skip

#: With a progress callback the server is asked to hold its answers for this long only, so that progress is seen.
_PROGRESS_SECONDS = 1.0
#: A cancelled caller waits at most this long for the server to cancel the task.
_CANCEL_SECONDS = 2.0


class PollingClient(ContractClient):
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
        super().__init__(base_url, http, read_timeout=hold + 10.0)
        self._deadline, self._hold = deadline, hold
        self._first_pause, self._longest_pause = first_pause, longest_pause
        self._server_holds = False  # learned from its answers

    async def run(self, prompt: str, on_progress: OnProgress | None = None, **fields: str) -> Task:
        """Submit, wait, and return the completed task; its `result` is the agent's answer.

        `on_progress` gets each new percentage; it may be async. `fields` go into the body beside the prompt.
        Raises `SubmitRefused`, `TaskFailed`, `TaskCancelled`, `TaskLost`, `DeadlineExceeded`, and `ClientError`
        itself for any other answer. When the caller is cancelled, so is the task, if it has been accepted.
        """
        conversation = Conversation(self._deadline, on_progress)
        hold = min(self._hold, _PROGRESS_SECONDS) if on_progress else self._hold
        try:
            async with conversation.until_deadline():
                answer = await self._submit(conversation, {"prompt": prompt, **fields})
                return completed(await self._poll(conversation, answer, hold))
        except asyncio.CancelledError:
            if conversation.task:
                await self._cancel_quietly(conversation.task.task_id)
            raise

    async def submit(self, prompt: str, **fields: str) -> Task:
        """Submit only, and return the accepted task. Raises `SubmitRefused`, `DeadlineExceeded`, `ClientError`."""
        conversation = Conversation(self._deadline)
        async with conversation.until_deadline():
            return accepted_task(await self._submit(conversation, {"prompt": prompt, **fields}))

    async def _submit(self, conversation: Conversation, body: dict[str, str]) -> httpx.Response:
        headers = {"Idempotency-Key": uuid4().hex}  # if its answer is lost, sending it again makes no second task
        return await self._request(conversation, "POST", "/agent/submit", headers=headers, json=body)

    async def _poll(self, conversation: Conversation, answer: httpx.Response, hold: float) -> Task:
        """The task, once it is finished. `answer` is the one to the submit."""
        prefer = {"Prefer": f"wait={max(1, round(hold))}"} if hold else {}
        task, polls = await conversation.note(accepted_task(answer)), 0
        while not task.finished:
            if not (hold and self._server_holds):
                await self._pause(conversation, retry_after(answer.headers), polls)
            answer = await self._request(conversation, "GET", f"/agent/status/{task.task_id}", headers=prefer)
            task, polls = await conversation.note(task_seen(answer, task)), polls + 1
            self._server_holds = was_held(answer)
        return task

    async def _request(self, conversation: Conversation, method: str, path: str, **content: Any) -> httpx.Response:
        """The answer to a request, which is sent again for as long as the server is unavailable."""
        attempt = 0
        while True:
            try:
                answer = await self.send(method, path, **content)
            except TemporaryError as error:
                conversation.trouble = str(error)
                await self._pause(conversation, error.retry_after, attempt)
                attempt += 1
            else:
                conversation.trouble = ""
                return answer

    async def _pause(self, conversation: Conversation, asked: float | None, attempt: int) -> None:
        """Wait as long as the server asked, or else longer with each attempt."""
        jitter = full_jitter(attempt, self._first_pause, self._longest_pause)
        # Many clients got the same `Retry-After`, so jitter is added to it. A server that asks for 0 is not hammered.
        await conversation.pause(asked + min(jitter, 0.1 * asked) if asked else jitter)

    async def _cancel_quietly(self, task_id: str) -> None:
        with suppress(TimeoutError, ClientError, httpx.HTTPError):  # the caller leaves; the task has its own timeout
            async with asyncio.timeout(_CANCEL_SECONDS):
                await self.cancel(task_id)


def create_app() -> ASGIApp:
    """The in-memory queue's app. It is imported here because a client needs no server."""
    from patterns import POLLING
    from patterns.in_memory_queue import app_for

    return app_for(POLLING)


if __name__ == "__main__":
    from patterns.cli.commands import serve_module

    serve_module("polling")
