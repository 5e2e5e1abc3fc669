"""Checkpoint 2: a percentage for a client's progress bar while the agent works."""

import math
import time
from contextlib import suppress

import pytest

from tests.checkpoints.engine.actors.agent_control import Run
from tests.checkpoints.engine.actors.app import App
from tests.checkpoints.engine.actors.task import Task
from tests.checkpoints.engine.actors.unique import unique_hex
from tests.checkpoints.engine.diagnosis.failures import Wrong
from tests.checkpoints.engine.http import wire
from tests.checkpoints.engine.http.http_client import NoResponse, send_request
from tests.checkpoints.engine.processes.background import in_background
from tests.checkpoints.engine.scenarios.progress import at_work, poll, report, shows


def test_progress_is_0_at_first(app: App) -> None:
    """Progress is 0 until the agent reports something."""
    app.must_control_the_agent()
    task = app.submit()
    poll(app, task, note=False)
    run = at_work(app, task)
    for _ in range(3):  # a progress that counts polls, or time, has changed by then
        shows(app, task, run, 0)


@pytest.mark.points(2)
def test_each_report_is_shown_while_the_agent_works(app: App) -> None:
    """Status shows each report while the agent is working, and nothing that it did not report."""
    app.must_control_the_agent()
    task = app.submit()
    run = at_work(app, task)
    for percent in (7, 42, 75):
        report(app, task, run, percent)
        shows(app, task, run, percent)
    shows(app, task, run, 75)


@pytest.mark.points(2)
def test_progress_never_goes_back(app: App) -> None:
    """Progress never goes back, even if the agent retries a step and reports less."""
    task = app.submit()
    run = at_work(app, task)
    report(app, task, run, 60)
    shows(app, task, run, 60)
    for percent in (20, 59.4):
        report(app, task, run, percent)
        shows(app, task, run, 60)
    report(app, task, run, 61)
    shows(app, task, run, 61)


def test_progress_is_a_whole_number(app: App) -> None:
    """Progress is a whole number, even if the agent reports 33.3."""
    task = app.submit()
    run = at_work(app, task)
    for percent in (0.7, 33.3, 66.7):  # the first is less than one percent, not a fraction of 1
        report(app, task, run, percent)
        shows(app, task, run, math.floor(percent), math.ceil(percent))


def test_progress_stays_within_0_and_100(app: App) -> None:
    """Progress stays between 0 and 100, whatever the agent reports, and at 100 the task is still running."""
    task = app.submit()
    run = at_work(app, task)
    report(app, task, run, -5)
    shows(app, task, run, 0)
    for percent in (120, 100):
        report(app, task, run, percent)
        try:
            shows(app, task, run, 99, 100)  # some apps keep the last percent for the end
        except Wrong as wrong:
            if wrong.code == "PROGRESS_NOT_SHOWN":
                wrong.likely = "a report above 100 is ignored, although it means that the agent is nearly done."
                wrong.next_step = "limit the value instead of ignoring the report: `min(…, 100)`."
            raise
    app.completed(task, app.finish(task, run))


@pytest.mark.points(2)
def test_progress_is_100_when_completed(app: App) -> None:
    """When the task is completed, progress is 100, even if the agent never reported 100."""
    if not app.external:
        with suppress(NoResponse):  # diagnosed below, with all steps in the timeline
            for _ in range(TRIES):
                if not reaches_100(app):
                    break
    for reports in ((), (40,)):
        task = app.submit()
        run = at_work(app, task)
        for percent in reports:
            report(app, task, run, percent)
        app.completed(task, app.finish(task, run))
        if poll(app, task) != 100:
            raise Wrong("PROGRESS_NOT_100")


#: No request gets between two adjacent lines of one thread. If something is awaited or called in between, one of these
#: clients sees it about every third time.
TRIES = 20
CLIENTS = 3


def reaches_100(app: App) -> bool:
    """Whether a task is completed at 100. Diagnoses a task that a client sees completed a moment before 100."""
    prompt = f"Compare at once: {unique_hex(4)}"
    app.agent_control.expected.append(prompt)
    submitted = send_request(app.url, "POST", "/agent/submit", {"prompt": prompt}, within=app.time_limit)
    path = f"/agent/status/{wire.task_in(submitted).get('task_id')}"
    run = app.agent_control.wait_for(prompt, app.time_limit)
    if run is None:
        return False
    deadline = time.monotonic() + app.time_limit

    def at_completion() -> object:
        while time.monotonic() < deadline:
            body = wire.task_in(send_request(app.url, "GET", path, within=app.time_limit))
            if body.get("status") == "completed":
                return body.get("progress")
        return None

    clients = [in_background(at_completion) for _ in range(CLIENTS)]
    run.finish()
    found = [client.result() for client in clients]
    soon = time.monotonic() + 0.5
    while any(percent != 100 for percent in found):
        if wire.task_in(send_request(app.url, "GET", path, within=app.time_limit)).get("progress") == 100:
            app.timeline.note(f"tasks are completed one after the other, while {CLIENTS} clients poll without a pause")
            raise Wrong(
                "PROGRESS_NOT_100",
                "a client sees completed with a progress that becomes 100 only a moment later",
                likely='100 is written after "completed", and other requests run in between.',
                next_step='write 100 first, and "completed" last.',
            )
        if time.monotonic() > soon:
            return False
        time.sleep(0.02)
    return True


#: Each gives the learner's thread a turn, however busy the machine is.
LOOKS = 5


def test_progress_is_not_100_when_the_agent_failed(app: App) -> None:
    """When the agent fails, the task is not completed, and its progress is not 100."""
    app.must_control_the_agent()
    fails(app, reported=40)
    fails(app, reported=100)  # an agent may report this before its last step


def fails(app: App, reported: int) -> None:
    """Make an agent fail after this report, and check the task."""
    task = app.submit()
    run = at_work(app, task)
    report(app, task, run, reported)
    shows(app, task, run, min(reported, 99), reported)  # some apps keep the last percent for the end
    app.fail(task, run)
    watched, looks = time.monotonic() + 0.2, 0  # code after the exception runs now
    while (poll(app, task, note=False) < 100 or reported == 100) and task.seen == "running":
        looks += 1
        if time.monotonic() > watched and looks >= LOOKS:
            break
        time.sleep(0.01)
    if poll(app, task) > reported:
        app.wait_for_traceback()
        raise Wrong(
            "PROGRESS_MADE_UP",
            likely="100 is written in a `finally`, or after the `except`, even if the agent fails.",
            next_step="write it right after run_agent returns, in a line that an exception skips.",
        )
    if task.seen == "completed":
        raise Wrong(
            "FAILURE_NOT_TOLD",
            likely='"completed" is written after the `except`, in a `finally`, or when the progress is 100, even if '
            "the agent has failed.",
            next_step='write "completed" in the `try`, right after run_agent returns, and "failed" in the `except`.',
        )


def test_two_tasks_have_separate_progress(app: App) -> None:
    """Two tasks at once have separate progress."""
    app.must_control_the_agent()
    first, second = app.submit(), app.submit()
    run, other = at_work(app, first), at_work(app, second)
    shows(app, first, run, 0)
    shows(app, second, other, 0)
    report(app, first, run, 70)
    untouched(app, second, other, 0)
    shows(app, first, run, 70)
    report(app, second, other, 15)
    untouched(app, first, run, 70)
    untouched(app, second, other, 15)  # the report of the first task was shown correctly: a fault now comes from it
    app.completed(second, app.finish(second, other))
    untouched(app, first, run, 70)
    third = app.submit_again(second)  # what is stored by prompt or by thread must not be shared
    run = at_work(app, third, number=2)
    untouched(app, third, run, 0)
    report(app, third, run, 5)
    untouched(app, third, run, 5)


def untouched(app: App, task: Task, run: Run, percent: int) -> None:
    """Check that a task's progress is its own, whatever happened to the other task."""
    try:
        shows(app, task, run, percent)
    except Wrong as wrong:
        raise Wrong("TASKS_MIXED_UP" if wrong.code.startswith("PROGRESS_") else wrong.code, wrong.seen) from None
