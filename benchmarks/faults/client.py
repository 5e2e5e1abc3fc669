"""The client of a fault trial: it submits tasks, and polls each until its outcome is known or the id is gone."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass

import httpx

from patterns.contract import FINISHED

_AT_ONCE = 8
_PAUSE_SECONDS = 0.1
_HOLD_SECONDS = 2
#: The request timeout, after which a frozen or vanished server is asked again.
_TIMEOUT_SECONDS = _HOLD_SECONDS + 3.0


@dataclass
class AcceptedTask:
    """An accepted task and its outcome."""

    number: int
    task_id: str
    status: str = ""  # a final status, "gone" if the id is unknown, or empty
    notified_at: float = 0.0  # on time.monotonic()


class Client:
    """A client of one server that repeats status requests without a response."""

    def __init__(self, url: str, callback_url: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=url,
            timeout=_TIMEOUT_SECONDS,
            trust_env=False,
            verify=False,  # noqa: S501 plain HTTP on this machine: reading the certificates takes 30 ms
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=50),
        )
        self._callback_url = callback_url

    async def aclose(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def submit(self, prompt: str) -> str | None:
        """Submit a task. Returns its id, or None if it was not accepted or there was no response."""
        body = {"prompt": prompt} | ({"callback_url": self._callback_url} if self._callback_url else {})
        try:
            answer = await self._http.post("/agent/submit", json=body)
            return str(answer.json()["task_id"]) if answer.status_code == 202 else None
        except (httpx.HTTPError, ValueError, KeyError):
            return None

    async def submit_all(self, trial: str, numbers: Iterable[int], how: str) -> list[AcceptedTask]:
        """Submit a task for each number. Returns the accepted ones."""
        slots = asyncio.Semaphore(_AT_ONCE)

        async def submit(number: int) -> AcceptedTask | None:
            async with slots:
                task_id = await self.submit(f"{trial}:{number}:{how}")
                return AcceptedTask(number, task_id) if task_id else None

        tasks = await asyncio.gather(*map(submit, numbers))
        return [task for task in tasks if task]

    async def learn(self, task: AcceptedTask, deadline: float) -> None:
        """Poll until the task is finished or gone, or the deadline on time.monotonic() has passed."""
        while not task.status and time.monotonic() < deadline:
            task.status = await self._status(task.task_id)
            task.notified_at = time.monotonic()

    async def learn_all(self, tasks: Iterable[AcceptedTask], deadline: float) -> None:
        """Poll all tasks concurrently, as `learn`."""
        await asyncio.gather(*(self.learn(task, deadline) for task in tasks))

    async def until_done(self, prompts: Iterable[str], deadline: float) -> float | None:
        """Submit one prompt after the other. Returns when the first task completed, or None at the deadline."""
        for prompt in prompts:
            if time.monotonic() > deadline:
                return None
            if task_id := await self.submit(prompt):
                probe = AcceptedTask(0, task_id)
                await self.learn(probe, deadline)
                if probe.status == "completed":
                    return probe.notified_at
            await asyncio.sleep(_PAUSE_SECONDS)
        return None

    async def healthy(self, deadline: float) -> bool:
        """Whether the server becomes healthy before the deadline."""
        while time.monotonic() < deadline:
            try:
                if (await self._http.get("/health")).status_code == 200:
                    return True
            except httpx.HTTPError:
                pass
            await asyncio.sleep(_PAUSE_SECONDS)
        return False

    async def _status(self, task_id: str) -> str:
        try:
            answer = await self._http.get(f"/agent/status/{task_id}", headers={"Prefer": f"wait={_HOLD_SECONDS}"})
            if answer.status_code == 404:
                return "gone"
            if answer.status_code == 200 and (status := str(answer.json()["status"])) in FINISHED:
                return status
            if answer.status_code == 200:
                return ""
        except (httpx.HTTPError, ValueError, KeyError):
            pass
        await asyncio.sleep(_PAUSE_SECONDS)
        return ""
