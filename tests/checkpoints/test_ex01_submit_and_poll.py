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
    first, second = app.submit(), app.submit()
    if first.task_id == second.task_id:
        raise Wrong("TASKS_MIXED_UP", "both submits were answered with the same id")
    run, other = app.started(first), app.started(second)
    answer = app.completed(second, app.finish(second, other))["result"]
    app.until(first, "running")
    app.completed(first, app.finish(first, run))
    if app.status(second).get("result") != answer:
        raise Wrong("TASKS_MIXED_UP", "the second task has another result than before")


def test_an_id_that_was_never_given_out_is_404(app: App) -> None:
    """An id that was never given out is answered with 404."""
    answer = app.ask("GET", "/agent/status/never-given-out")
    if answer.status != 404:
        raise Wrong("UNKNOWN_ID_NOT_404")
