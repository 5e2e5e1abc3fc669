"""Checkpoint 5: an agent that hangs is stopped and its task fails, and finished records are removed in time.

No verdict depends on the machine's speed: a time is compared with the earliest time at which a right solution could
have done the same.
"""

import time

import pytest

from tests.checkpoints.engine.actors.app import App
from tests.checkpoints.engine.actors.environment import CheckEnvironment
from tests.checkpoints.engine.diagnosis.failures import Inconclusive, Wrong
from tests.checkpoints.engine.scenarios.task_limits import (
    LONG,
    SHORT,
    begins,
    completed_in_time,
    ended,
    ended_too_soon,
    error_in,
    error_in_words,
    finish,
    hangs,
    known,
    must_begin,
    over,
    say_which_is_kept,
    serve,
    taken,
    until_kept,
    watch,
)

_FAILURES = [("RuntimeError", "the model refused"), ("TimeoutError", "the model took too long"), ("TimeoutError", "")]


@pytest.mark.points(2)
@pytest.mark.gap("TODO 1")
def test_an_agent_that_finishes_in_time_is_not_interrupted(environment: CheckEnvironment) -> None:
    """An agent that finishes in time is not interrupted: its task is completed, and stays completed."""
    app = serve(environment, workers=2)
    first, second = app.submit(), app.submit()
    run, other = must_begin(app, first), must_begin(app, second)
    watched = (
        time.monotonic() + 2 * LONG / 1000
    )  # an app that confuses seconds with milliseconds has stopped both by then
    watch(app, second, watched)
    if second.seen == "failed":
        raise ended_too_soon(app, second)
    finish(app, first, run)
    app.status(second)
    finish(app, second, other)
    app.status(first)


@pytest.mark.points(2)
@pytest.mark.gap("TODO 1")
def test_a_task_whose_agent_hangs_fails_with_timeout(environment: CheckEnvironment) -> None:
    """A task whose agent hangs fails when its time is up, with the code timeout."""
    app, task, _, timeout = hangs(environment)
    body = ended(app, task, timeout)
    code, message = error_in(body)
    if code != "timeout":
        raise Wrong("TIMEOUT_NOT_TOLD", f"its {error_in_words(body)}, expected the code 'timeout'")
    if not isinstance(message, str) or not message.strip():
        raise Wrong(
            "TIMEOUT_NOT_TOLD",
            f'the "message" of the error is {message!r}',
            likely="the message is `str(error)`, but a TimeoutError has no message.",
            next_step="write a message that says how long the agent was allowed to run.",
        )


@pytest.mark.points(2)
@pytest.mark.gap("TODO 1")
def test_the_agent_stops_at_the_timeout(environment: CheckEnvironment) -> None:
    """When its time is up, the agent really stops, and the outcome does not change."""
    app, task, run, timeout = hangs(environment)
    ended(app, task, timeout)
    if run is None:
        raise Wrong("FAILED_BEFORE_WORK")
    if not run.gone.wait(app.time_limit):
        app.timeline.note("the agent is still working")
        app.finish(task, run)
        app.status(task)
        raise Wrong("STILL_WORKING")


@pytest.mark.gap("TODO 1")
def test_the_worker_takes_the_next_task(environment: CheckEnvironment) -> None:
    """A worker takes the next task, whether the task before timed out or finished in time."""
    for timeout in (0.08, 0.08, 0.16, 0.32, 0.64, 1.28):  # on a slow machine it may pass before the agent is done
        environment.timeline.begin_again()
        app = serve(environment, timeout=timeout)
        hanging = app.submit()
        first = begins(app, hanging)
        ended(app, hanging, timeout)
        task = app.submit()
        run = taken(app, task)
        if first and run and completed_in_time(app, task, app.finish(task, run)):
            break
    else:
        raise Inconclusive(f"No agent finished within {timeout:g} s: this machine is too busy. Run the check again.")
    time.sleep(timeout + 0.01)  # the finished task must not time out later
    app.timeline.note(f"the timeout of {task.task_id} would be over now")
    app.status(task)
    likely = "the timer of a task that finished in time is still active, and ends the worker later."
    next_step = "cancel the timer in a `finally`: `handle.cancel()`. `asyncio.timeout` does this for you."
    taken(app, app.submit(), likely, next_step)


@pytest.mark.gap("TODO 1")
def test_the_timeout_starts_with_the_agent(environment: CheckEnvironment) -> None:
    """The timeout starts with the agent: a task that waited has its full time."""
    for timeout in (0.2, 0.4, 0.8, 1.6):  # long enough to distinguish half of it from all of it on a busy machine
        environment.timeline.begin_again()
        if _has_its_full_time(serve(environment, timeout=timeout), timeout):
            return
    raise Inconclusive(
        f"Nothing could be observed within {timeout:g} s: this machine is too busy. Run the check again."
    )


def _has_its_full_time(app: App, timeout: float) -> bool:
    """Check that a task that waited does not time out too early. False if it has timed out, but maybe rightly."""
    earliest = time.monotonic() + 2 * timeout  # with one worker, the second task starts after the timeout of the first
    hanging, waiting = app.submit(), app.submit()
    begins(app, hanging)
    run = begins(app, waiting, timeout + app.time_limit)
    if run is None and waiting.seen == "pending":
        raise Wrong("WORKER_STUCK", f"GET /agent/status/{waiting.task_id} → pending")
    watch(app, waiting, time.monotonic() + 0.06)
    if run and waiting.seen == "running":
        answer = app.finish(waiting, run)
        app.status(waiting, note=False)
        if waiting.seen == "running":
            completed_in_time(app, waiting, answer)
    if waiting.seen != "failed":
        return True
    if (early := earliest - waiting.over) > 0:
        app.timeline.note(f"GET /agent/status/{waiting.task_id} → failed, at least {early:.1f} s before its time is up")
        raise Wrong("TIMEOUT_COUNTS_WAITING")
    return False


@pytest.mark.gap("TODO 1")
def test_an_agent_that_fails_in_time_is_an_agent_error(environment: CheckEnvironment) -> None:
    """An agent that fails in time gives an agent_error, even if it raises TimeoutError."""
    app = serve(environment)
    app.must_control_the_agent()
    for kind, message in _FAILURES:
        task = app.submit()
        app.fail(task, must_begin(app, task), message, kind)
        if not message:
            app.timeline.amend(", without a message")
        body = app.until(task, "failed")
        if (code := error_in(body)[0]) != "agent_error":
            wrong = "TIMEOUT_BY_MISTAKE" if code == "timeout" else "FAILURE_NOT_TOLD"
            likely = (
                ""
                if message
                else "an empty message is taken for the timeout, but an agent's message may be empty, too."
            )
            raise Wrong(wrong, f"its {error_in_words(body)}, expected the code 'agent_error'", likely)


def test_a_finished_record_is_removed_after_its_time_to_live(environment: CheckEnvironment) -> None:
    """A finished task is removed when its time to live is over, whether it is polled or not."""
    for timeout in (0.08, 0.08, 0.16, 0.32, 0.64):  # on a slow machine it may pass before the agent is done
        environment.timeline.begin_again()
        app = serve(environment, timeout=timeout, ttl=SHORT)
        done, in_time = over(app, timeout, app.finish)
        broken, too = over(app, timeout, app.fail)
        if in_time and too:
            break
    else:
        raise Inconclusive(f"No agent finished within {timeout:g} s: this machine is too busy. Run the check again.")
    hanging = app.submit()
    run = app.agent_control.wait_for(hanging.prompt, timeout)
    if run and not run.gone.wait(timeout + app.time_limit):
        app.finish(hanging, run)  # another check covers the timeout
    app.timeline.note(f"the timeout of {hanging.task_id} is over")
    try:
        until_kept(app, 0)
    except Wrong as wrong:
        if wrong.code == "NEVER_FORGOTTEN":
            say_which_is_kept(app, hanging, [done, broken], wrong)
        raise
    for task in (hanging, done, broken):
        answer = app.request("GET", f"/agent/status/{task.task_id}")
        if answer.status != 404:
            raise Wrong("NEVER_FORGOTTEN", f"GET /health counted no tasks, but {task.task_id} is still known")


def test_an_unfinished_task_is_never_removed(environment: CheckEnvironment) -> None:
    """An unfinished task is never removed: its time to live starts when it finishes."""
    for ttl in (0.1, 0.1, 0.2, 0.4, 0.8, 1.6):  # on a slow machine a record may expire before it is polled
        environment.timeline.begin_again()
        if _each_has_its_own_time(environment, ttl):
            return
    raise Inconclusive(f"No record could be polled within {ttl:g} s: this machine is too busy. Run the check again.")


def _each_has_its_own_time(environment: CheckEnvironment, ttl: float) -> bool:
    """Check that only one of four tasks is gone after its time to live. False if the machine was too slow."""
    app = serve(environment, ttl=ttl, workers=2)
    old, young = app.submit(), app.submit()
    run, quick = must_begin(app, old), must_begin(app, young)
    goes = time.monotonic() + ttl
    app.finish(young, quick)
    time.sleep(ttl / 2)  # the next task expires this much later
    stays = time.monotonic() + ttl
    late, broken = app.submit(), app.submit()
    app.finish(late, must_begin(app, late))
    app.fail(broken, must_begin(app, broken))
    in_time = time.monotonic() < goes  # the first is not gone yet
    until_kept(app, 3)
    finished = None
    try:
        app.status(old)
        if not (known(app, late, stays) and known(app, broken, stays)):
            return False
        finished = time.monotonic()
        app.finish(old, run)
        app.status(old)
    except Wrong as wrong:
        if wrong.code != "RECORD_TOO_LATE":
            raise
        if finished and time.monotonic() - finished >= ttl:
            return False
        raise Wrong(
            "FORGOTTEN_TOO_SOON",
            wrong.seen,
            likely="the time to live starts with the submit, or with the work.",
            next_step="start it when the task finishes: schedule the removal when you write the outcome.",
        ) from None
    return in_time
