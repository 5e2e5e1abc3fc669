"""The simulated agent: it works in steps, and can be told to fail, hang, block or compute."""

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
    """An agent that works for `agent_steps` steps of `agent_step_seconds`, and reports after each.

    Seeded by the setting and the prompt: the same prompt takes the same steps and gives the same answer.
    """

    async def simulated(prompt: str, report_progress: ReportProgress) -> str:
        behaviour, chance = _behaviour(prompt, settings), random.Random(f"{settings.agent_seed}:{prompt}")
        # Lognormal with a mean of 1, as the durations of many jobs are: the median is 0.6, one in a hundred 6 or more.
        length = chance.lognormvariate(-0.5, 1.0) if settings.agent_tail == "heavy" else 1.0
        for step in range(1, settings.agent_steps + 1):
            pause = length * settings.agent_step_seconds * (1 + settings.agent_jitter * chance.uniform(-1, 1))
            if behaviour == "block":
                time.sleep(pause)  # noqa: ASYNC251 the mistake itself: an async agent that blocks its thread
            elif behaviour == "compute":
                await asyncio.to_thread(_compute, pause)  # to the pool, as who computes in an async agent should
            elif behaviour == "hang":
                await asyncio.Event().wait()
            else:
                await asyncio.sleep(pause)
            if behaviour == "fail" and step > settings.agent_steps // 2:
                raise RuntimeError("the simulated agent was told to fail")
            report_progress(100 * step // settings.agent_steps)
        return f"{chance.choice(_SENTENCES)} ({settings.agent_steps} steps, prompt of {len(prompt)} characters)"

    return simulated


def _compute(seconds: float) -> None:
    """Use a processor for so much of its time, whoever else wants it too."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        sum(range(1000))


def _behaviour(prompt: str, settings: Settings) -> str:
    if settings.agent_obeys_prompt:
        told, colon, _ = prompt.partition(":")
        if colon and told in {"fail", "hang", "block"}:
            return told
    return settings.agent_behaviour
