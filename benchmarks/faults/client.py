"""The client of a fault run: it submits, and holds on to every task until its outcome is known or cannot be."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass

import httpx

from patterns.contract import FINISHED

_AT_ONCE = 8
_PAUSE_SECONDS = 0.1
_HOLD_SECONDS = 2
#: A server that is frozen, or gone without a word, answers nothing: ask again after this long.
_PATIENCE_SECONDS = _HOLD_SECONDS + 3.0


@dataclass
class AcceptedTask:
    """A task that was accepted, and what became of it."""

    number: int
    task_id: str
    status: str = ""  # a finished one, "gone" when the id is unknown, or nothing yet
    known_at: float = 0.0


class Client:
    """Speaks to one server, and repeats every request that gets no answer."""

    def __init__(self, url: str, callback_url: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=url,
            timeout=_PATIENCE_SECONDS,
            trust_env=False,
            verify=False,  # noqa: S501 plain HTTP on this machine: reading the certificates takes 30 ms
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=50),
        )
        self._callback_url = callback_url

    async def aclose(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def submit(self, prompt: str) -> str | None:
        """The id of the task, or None when it was not accepted, or there was no answer."""
        body = {"prompt": prompt} | ({"callback_url": self._callback_url} if self._callback_url else {})
        try:
            answer = await self._http.post("/agent/submit", json=body)
            return str(answer.json()["task_id"]) if answer.status_code == 202 else None
        except (httpx.HTTPError, ValueError, KeyError):
            return None

    async def submit_all(self, trial: str, numbers: Iterable[int], how: str) -> list[AcceptedTask]:
        """Those that were accepted."""
        turn = asyncio.Semaphore(_AT_ONCE)

        async def submit(number: int) -> AcceptedTask | None:
            async with turn:
                task_id = await self.submit(f"{trial}:{number}:{how}")
                return AcceptedTask(number, task_id) if task_id else None

        tasks = await asyncio.gather(*map(submit, numbers))
        return [task for task in tasks if task]

    async def learn(self, task: AcceptedTask, deadline: float) -> None:
        """Return when it is finished or gone; at the deadline, on time.monotonic(), nothing is known."""
        while not task.status and time.monotonic() < deadline:
            task.status = await self._status(task.task_id)
            task.known_at = time.monotonic()

    async def learn_all(self, tasks: Iterable[AcceptedTask], deadline: float) -> None:
        """All of them, side by side."""
        await asyncio.gather(*(self.learn(task, deadline) for task in tasks))

    async def until_done(self, prompts: Iterable[str], deadline: float) -> float | None:
        """When the first of these prompts was submitted and completed; each is tried once."""
        for prompt in prompts:
            if time.monotonic() > deadline:
                return None
            if task_id := await self.submit(prompt):
                probe = AcceptedTask(0, task_id)
                await self.learn(probe, deadline)
                if probe.status == "completed":
                    return probe.known_at
            await asyncio.sleep(_PAUSE_SECONDS)
        return None

    async def healthy(self, deadline: float) -> bool:
        """Whether the server says so before the deadline."""
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
