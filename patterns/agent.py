"""The simulated agent, and the door for your own.

An agent is any callable `(prompt, report_progress) -> str`, sync or async. The patterns know nothing else
about it. `report_progress` takes a percentage, and raises `TaskEnded` in the agent when nobody wants the
task any more: it was cancelled, or it ran past its timeout. That is how a sync agent, which no one can
interrupt from outside, learns to stop.
"""

import asyncio
import importlib
import inspect
import os
import random
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import copy_context
from typing import Any, cast

from patterns.settings import Settings, SettingsError

ReportProgress = Callable[[int], None]
Agent = Callable[[str, ReportProgress], str | Awaitable[str]]

_SENTENCES = (
    "The three sources agree on the main point.",
    "One figure could not be confirmed.",
    "The shortest path is also the cheapest.",
    "Two of the assumptions deserve a second look.",
)


class TaskEnded(BaseException):
    """Raised in an agent by `report_progress` when its task was cancelled or has timed out.

    Not an `Exception`, so that an agent's own `except Exception` does not swallow it.
    """


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


def load_agent(settings: Settings) -> Agent:
    """The agent that `KIT_AGENT` names.

    Raises `SettingsError` when there is no such module, or nothing callable in it.
    """
    if settings.agent == "simulated":
        return simulated_agent(settings)
    module_name, colon, attribute = settings.agent.partition(":")
    if not (module_name and colon and attribute):
        raise SettingsError(f"KIT_AGENT={settings.agent}: write it as module:callable, or leave it out")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # as `python -m` does: the agent may be a file beside the user
    try:
        found: Any = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # whatever a user's module raises while it is imported
        said = " ".join(str(error).split())
        raise SettingsError(
            f"KIT_AGENT={settings.agent}: cannot import {module_name}: {type(error).__name__}: {said}"
        ) from error
    for part in attribute.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise SettingsError(f"KIT_AGENT={settings.agent}: {module_name} has no callable {attribute}")
    return cast("Agent", found)


def is_async(agent: Agent) -> bool:
    """Whether calling the agent gives a coroutine, so that it can run on the event loop."""
    return inspect.iscoroutinefunction(agent) or inspect.iscoroutinefunction(type(agent).__call__)


def run_in_this_thread(agent: Agent, prompt: str, report_progress: ReportProgress) -> str:
    """Run the agent to its end in the calling thread; an async one gets an event loop of its own."""
    outcome = agent(prompt, report_progress)
    return _text(outcome if isinstance(outcome, str) else asyncio.run(_awaited(outcome)))


async def run_on_the_loop(agent: Agent, prompt: str, report_progress: ReportProgress) -> str:
    """Run the agent without blocking the event loop: an async one on it, a sync one in a thread."""
    if is_async(agent):
        return _text(await cast("Awaitable[str]", agent(prompt, report_progress)))
    return await run_in_daemon_thread(agent, prompt, report_progress)


async def run_in_daemon_thread(agent: Agent, prompt: str, report_progress: ReportProgress) -> str:
    """Run the agent in a thread that cannot keep the process from exiting.

    The threads of `asyncio.to_thread` and of anyio's pool are waited for when the interpreter ends, so one
    hung agent would hold up every deploy. A daemon thread is left behind. When the caller is cancelled the
    thread goes on until its next `report_progress`: a thread cannot be killed, only a process can.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[str] = loop.create_future()

    def tell(result: str | None, error: BaseException | None) -> None:
        if not outcome.done():
            if error is None:
                outcome.set_result(cast("str", result))
            else:
                outcome.set_exception(error)

    def run() -> None:
        result: str | None = None
        failure: BaseException | None = None
        try:
            result = run_in_this_thread(agent, prompt, report_progress)
        except StopIteration as error:
            failure = RuntimeError(f"the agent raised StopIteration: {error}")  # a Future refuses StopIteration
        except BaseException as error:  # told to whoever waits, whatever it is
            failure = error
        with suppress(RuntimeError):  # the loop is closed: the server has stopped and nobody waits
            loop.call_soon_threadsafe(tell, result, failure)

    # In the caller's context: what the agent logs is about the same task there.
    threading.Thread(target=copy_context().run, args=(run,), name="agent", daemon=True).start()
    return await outcome


async def _awaited(outcome: Awaitable[str]) -> str:
    return await outcome if inspect.isawaitable(outcome) else outcome


def _text(outcome: object) -> str:
    if not isinstance(outcome, str):
        raise TypeError(f"an agent must return a str, and this one returned {type(outcome).__name__}")
    return outcome.encode(errors="replace").decode()  # half a surrogate pair is a str, and cannot be sent
