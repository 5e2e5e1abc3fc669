"""Agents that call a model, as users write them: async, with one HTTP client for all tasks."""

import asyncio
import os
import time
from contextlib import suppress
from typing import Any

import httpx

from patterns.agents.running import ReportProgress

MODEL_URL = os.environ.get("MODEL_URL", "")
FOREVER = 3600.0

client = httpx.AsyncClient(base_url=MODEL_URL, timeout=None, trust_env=False)  # noqa: S113 a model may take minutes


async def answers(prompt: str) -> str:
    """A call with a response."""
    return (await client.get("/answer")).text


async def hangs(prompt: str) -> str:
    """A call without a response."""
    return (await client.get(f"/hang/{prompt}")).text


async def cleans_up_for_long(prompt: str) -> str:
    """A call without a response, and an hour of cleanup after the cancellation."""
    try:
        return await hangs(prompt)
    finally:
        await asyncio.sleep(FOREVER)


async def ignores_cancellation(prompt: str) -> str:
    """A call without a response, and an agent that ignores every cancellation."""
    with suppress(asyncio.CancelledError):
        return await hangs(prompt)
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(FOREVER)


async def blocks_the_loop(prompt: str) -> str:
    """Blocks the event loop in the middle of a call."""
    async with client.stream("GET", f"/hang/{prompt}"):
        time.sleep(FOREVER)  # noqa: ASYNC251 the mistake itself
    return "never"


async def works_then_hangs(prompt: str) -> str:
    """Works for a while between two awaits."""
    await answers(prompt)
    time.sleep(0.2)  # noqa: ASYNC251 simulates work
    return await hangs(prompt)


_AGENTS = {agent.__name__: agent for agent in (
    answers, hangs, cleans_up_for_long, ignores_cancellation, blocks_the_loop, works_then_hangs
)}  # fmt: skip


async def agent(prompt: str, report_progress: ReportProgress) -> str:
    """Any of the agents above, by the name before the colon."""
    name, _, rest = prompt.partition(":")
    report_progress(10)
    return await _AGENTS[name](rest)


class Agent:
    """An agent with its own client."""

    def __init__(self) -> None:
        self._client = httpx.AsyncClient(base_url=MODEL_URL, timeout=None, trust_env=False)  # noqa: S113 as above

    async def __call__(self, prompt: str, report_progress: ReportProgress) -> str:
        """Call the model."""
        return (await self._client.get("/answer")).text


agent_object = Agent()


def returns_a_coroutine(prompt: str, report_progress: ReportProgress) -> Any:
    """A plain function around an async agent, as a decorator may leave it."""
    return agent(prompt, report_progress)


def sync_agent(prompt: str, report_progress: ReportProgress) -> str:
    """Not async: its calls block its thread."""
    name, _, rest = prompt.partition(":")
    with httpx.Client(base_url=MODEL_URL, timeout=None, trust_env=False) as own:  # noqa: S113 as above
        if name == "answers":
            return own.get("/answer").text
        while True:
            try:
                return own.get(f"/hang/{rest}").text
            except BaseException:
                if name == "hangs":
                    raise
                time.sleep(FOREVER)  # ignores every interruption
