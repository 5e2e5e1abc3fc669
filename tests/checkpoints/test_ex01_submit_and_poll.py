"""Checkpoint 1: post a job, get an id at once, poll, and watch it go from pending to completed."""

import pytest

from tests.checkpoints.app import App
from tests.checkpoints.verdict import Wrong


@pytest.mark.points(2)
def test_submit_gives_an_id_while_the_agent_still_works(app: App) -> None:
    """Submit gives an id at once, while the agent still works."""
    task = app.submit()
    app.started(task)


@pytest.mark.points(2)
def test_a_task_is_running_while_the_agent_works(app: App) -> None:
    """While the agent works, status says running, and other requests are answered."""
    task = app.submit()
    app.started(task)
    app.until(task, "running")


@pytest.mark.points(2)
def test_a_task_is_completed_with_the_agents_answer(app: App) -> None:
    """When the agent is done, status says completed, with its answer as the result."""
    task = app.submit()
    answer = app.finish(task, app.started(task))
    app.completed(task, answer)


def test_an_outcome_stays(app: App) -> None:
    """A completed task stays as it is, however often it is asked for."""
    task = app.submit()
    answer = app.finish(task, app.started(task))
    for _ in range(3):
        app.completed(task, answer)


def test_two_tasks_do_not_mix(app: App) -> None:
    """Two tasks at once have two ids, and each gets its own answer."""
    first = app.submit()
    run = app.started(first)
    second = app.submit()
    if first.task_id == second.task_id:
        raise Wrong("TASKS_MIXED_UP", "both submits were answered with the same id")
    answer = app.completed(second, app.finish(second, app.started(second)))["result"]
    try:
        app.until(first, "running")
    except Wrong as wrong:
        if wrong.code == "RECORD_TOO_LATE":  # one task alone is known all the time: other checks have seen to it
            raise Wrong("TASKS_MIXED_UP", wrong.seen or "the second submit took the first task's record away") from None
        raise
    app.completed(first, app.finish(first, run))
    if app.status(second).get("result") != answer:
        raise Wrong("TASKS_MIXED_UP", "the second task has another result than before")


#: So many plain functions FastAPI runs at once: the size of anyio's pool of threads.
THREADS = 40


def test_a_task_that_waits_for_its_turn_is_known(app: App) -> None:
    """A task is known from the moment its id is given out, also when it waits until others are done."""
    app.must_hold_the_agent()
    app.timeline.note(f"{THREADS + 1} tasks are submitted, and the agent works on {THREADS} of them")
    if not all(app.answers("POST", "/agent/submit", {"prompt": "Compare."}) for _ in range(THREADS + 1)):
        return  # a handler that is a plain function waits for a thread itself
    task = app.submit()
    if app.answers("GET", f"/agent/status/{task.task_id}"):
        app.status(task)


@pytest.mark.apart
def test_an_id_that_was_never_given_out_is_404(app: App) -> None:
    """An id that was never given out is answered with 404."""
    app.must_not_know()
