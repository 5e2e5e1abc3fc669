"""The simulated agent: it works in steps and, on request, fails, hangs, blocks its thread or uses a core."""

import asyncio
import random
import time

from patterns.agents.running import Agent, ReportProgress
from patterns.contract.settings import Settings

_SENTENCES = (
    "The three sources agree on the main point.",
    "One figure could not be confirmed.",
    "The shortest path is also the cheapest.",
    "Two of the assumptions deserve a second look.",
)


def simulated_agent(settings: Settings) -> Agent:
    """An agent that works for `agent_steps` steps of `agent_step_seconds`, and reports its progress after each.

    It is seeded with `agent_seed` and the prompt: the same prompt takes the same time and gives the same result.
    """

    async def simulated(prompt: str, report_progress: ReportProgress) -> str:
        behaviour, rng = _behaviour(prompt, settings), random.Random(f"{settings.agent_seed}:{prompt}")
        # Many jobs have lognormal durations. Here the mean is 1, the median 0.6, and one in a hundred is 6 or more.
        length = rng.lognormvariate(-0.5, 1.0) if settings.agent_tail == "heavy" else 1.0
        for step in range(1, settings.agent_steps + 1):
            pause = length * settings.agent_step_seconds * (1 + settings.agent_jitter * rng.uniform(-1, 1))
            if behaviour == "block":
                time.sleep(pause)  # noqa: ASYNC251 on purpose: an async agent that blocks its thread
            elif behaviour == "compute":
                await asyncio.to_thread(_compute, pause)
            elif behaviour == "hang":
                await asyncio.Event().wait()
            else:
                await asyncio.sleep(pause)
            if behaviour == "fail" and step > settings.agent_steps // 2:
                raise RuntimeError("the simulated agent failed, as requested")
            report_progress(100 * step // settings.agent_steps, f"finished step {step} of {settings.agent_steps}")
        return f"{rng.choice(_SENTENCES)} ({settings.agent_steps} steps, prompt of {len(prompt)} characters)"

    return simulated


def _compute(seconds: float) -> None:
    """Use so many seconds of CPU time, however long that takes on a busy machine."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        sum(range(1000))


def _behaviour(prompt: str, settings: Settings) -> str:
    if settings.agent_obeys_prompt:
        behaviour, colon, _ = prompt.partition(":")
        if colon and behaviour in {"fail", "hang", "block"}:
            return behaviour
    return settings.agent_behaviour
