"""The simulated agent, and how agents of all kinds are run."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any, cast

import pytest

from patterns.agents.running import (
    Agent,
    TaskEnded,
    checked_report,
    is_async,
    run_in_daemon_thread,
    run_on_event_loop,
)
from patterns.agents.simulated import simulated_agent as simulated
from patterns.agents.watched import run_watched
from patterns.contract.settings import Settings
from tests.support import agents
from tests.support.watching import Unwatched

_GOOD = {
    "sync": (agents.sync_agent, "sync: hello"),
    "async": (agents.async_agent, "async: hello"),
    "sync that gives a coroutine": (agents.coroutine_from_sync, "async: hello"),
    "object": (agents.callable_agent, "async: hello"),
    "method": (agents.callable_agent.method, "sync: hello"),
    "lambda": (lambda prompt, report_progress: f"lambda: {prompt}", "lambda: hello"),
}
_BAD: dict[str, tuple[Any, type[BaseException]]] = {
    "returns a number": (agents.returns_a_number, TypeError),
    "returns None": (agents.returns_none, TypeError),
    "raises": (agents.raises, ValueError),
    "raises later": (agents.raises_later, LookupError),
    "exits": (agents.exits, SystemExit),
    "cancels itself": (agents.cancels_itself, asyncio.CancelledError),
}


def settings(**changed: Any) -> Settings:
    """Settings for a quick agent."""
    return Settings(**{"agent_steps": 4, "agent_step_seconds": 0.0, **changed})


def nothing(percent: int, message: str | None = None) -> None:
    """Ignore progress."""


@pytest.mark.parametrize(("agent", "result"), _GOOD.values(), ids=_GOOD)
async def test_a_good_agent_returns_its_result_wherever_it_runs(agent: Agent, result: str) -> None:
    from_a_thread_with_no_loop = await asyncio.to_thread(run_watched, agent, "hello", Unwatched())

    assert from_a_thread_with_no_loop == result
    assert await run_on_event_loop(agent, "hello", nothing) == result
    assert await run_in_daemon_thread(agent, "hello", nothing) == result


@pytest.mark.parametrize(("agent", "error"), _BAD.values(), ids=_BAD)
async def test_the_exception_of_a_bad_agent_reaches_its_caller(agent: Agent, error: type[BaseException]) -> None:
    with pytest.raises(error):
        await asyncio.to_thread(run_watched, agent, "hello", Unwatched())
    if error is not SystemExit:  # asyncio lets it through the loop, so that `execute` turns it into something else
        with pytest.raises(error):
            await run_in_daemon_thread(agent, "hello", nothing)


async def test_an_exception_that_a_future_refuses_becomes_an_error() -> None:
    with pytest.raises(RuntimeError, match="no more"):
        await run_in_daemon_thread(agents.stops_iteration, "hello", nothing)


@pytest.mark.parametrize(("agent", "_"), _GOOD.values(), ids=_GOOD)
def test_only_a_coroutine_function_runs_on_the_loop(agent: Agent, _: str) -> None:
    assert is_async(agent) == (agent in {agents.async_agent, agents.callable_agent})


async def test_a_sync_agent_does_not_block_the_loop() -> None:
    go_on = threading.Event()

    def waits(prompt: str, report_progress: Callable[[int], None]) -> str:
        return "free" if go_on.wait(30) else "blocked"

    running = asyncio.create_task(run_on_event_loop(waits, "hello", nothing))
    await asyncio.sleep(0)
    go_on.set()  # set by the loop, so the loop still runs

    assert await running == "free"


async def test_a_hanging_thread_does_not_delay_the_exit() -> None:
    hangs = threading.Event()

    def hang(prompt: str, report_progress: Callable[[int], None]) -> str:
        hangs.wait()
        return "too late"

    running = asyncio.create_task(run_in_daemon_thread(hang, "hello", nothing))
    await asyncio.sleep(0.05)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    (thread,) = [thread for thread in threading.enumerate() if thread.name == "agent"]
    assert thread.daemon  # the interpreter does not wait for it
    hangs.set()
    thread.join(30)


async def test_the_simulated_agent_reports_after_each_step() -> None:
    reported: list[tuple[int, str | None]] = []

    def report(percent: int, message: str | None = None) -> None:
        reported.append((percent, message))

    await run_on_event_loop(simulated(settings()), "hello", report)

    assert reported == [(25 * step, f"finished step {step} of 4") for step in (1, 2, 3, 4)]


async def test_the_same_prompt_and_seed_give_the_same_answer() -> None:
    async def answers(seed: int) -> list[str]:
        agent = simulated(settings(agent_seed=seed))
        return [await run_on_event_loop(agent, f"prompt {number}", nothing) for number in range(10)]

    assert await answers(1) == await answers(1)
    assert await answers(1) != await answers(2)


async def test_jitter_is_repeatable_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def pauses(seed: int) -> list[float]:
        slept: list[float] = []

        async def sleep(seconds: float) -> None:
            slept.append(seconds)

        monkeypatch.setattr(asyncio, "sleep", sleep)
        jittery = settings(agent_seed=seed, agent_step_seconds=1.0, agent_jitter=0.5)
        await cast("Any", simulated(jittery)("hello", nothing))
        monkeypatch.undo()
        return slept

    first = await pauses(1)
    assert first == await pauses(1)
    assert first != await pauses(2)
    assert all(0.5 <= pause <= 1.5 for pause in first)


async def test_it_fails_half_way_if_the_prompt_says_so() -> None:
    reported: list[int] = []

    def report(percent: int, message: str | None = None) -> None:
        reported.append(percent)

    with pytest.raises(RuntimeError, match="failed, as requested"):
        await run_on_event_loop(simulated(settings(agent_behaviour="fail")), "hello", report)

    assert reported == [25, 50]


async def test_it_hangs_if_the_prompt_says_so() -> None:
    hanging = asyncio.create_task(run_on_event_loop(simulated(settings(agent_behaviour="hang")), "hello", nothing))

    done, _ = await asyncio.wait({hanging}, timeout=0.05)

    assert not done
    hanging.cancel()


async def test_a_prompt_is_obeyed_only_if_the_settings_allow_it() -> None:
    assert await run_on_event_loop(simulated(settings()), "fail: please", nothing)
    assert await run_on_event_loop(simulated(settings(agent_obeys_prompt=True)), "fail", nothing)
    assert await run_on_event_loop(simulated(settings(agent_obeys_prompt=True)), "failing: is not fail", nothing)
    with pytest.raises(RuntimeError):
        await run_on_event_loop(simulated(settings(agent_obeys_prompt=True)), "fail: please", nothing)


async def test_it_ends_when_its_task_is_no_longer_wanted() -> None:
    def ended(percent: int, message: str | None = None) -> None:
        raise TaskEnded

    with pytest.raises(TaskEnded):
        await run_on_event_loop(simulated(settings()), "hello", ended)


@pytest.mark.parametrize(
    ("report", "stored"),
    [
        ((50, None), (50, None)),
        ((50, ""), (50, None)),
        ((50, " \n "), (50, None)),
        ((50, "reading page 3"), (50, "reading page 3")),
        ((-3, "a\r\nb\u2028c\x7f"), (0, "a  b c")),
        ((333, "x" * 201), (100, "x" * 200)),
        ((49.9, "\ud83d"), (49, None)),
    ],
)
def test_a_report_is_stored_as_a_percentage_and_one_line(report: Any, stored: tuple[int, str | None]) -> None:
    assert checked_report(*report) == stored


@pytest.mark.parametrize("report", [("50%", None), (None, None), (50, 3), (50, b"bytes")])
def test_a_report_of_another_type_raises_in_the_agent(report: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        checked_report(*report)
