"""The progress of a task, from the agent's report to the status route."""

import json
import time

from tests.checkpoints.engine.actors.agent_control import Run
from tests.checkpoints.engine.actors.app import App
from tests.checkpoints.engine.actors.external import LONGEST_SECONDS, LOOK_SECONDS
from tests.checkpoints.engine.actors.task import FINISHED, Task
from tests.checkpoints.engine.diagnosis.failures import Wrong
from tests.checkpoints.engine.http import wire


def poll(app: App, task: Task, note: bool = True) -> int:
    """The progress that the status route returns now: a whole percent that has not gone back."""
    body = app.status(task, note=False)
    percent = body.get("progress")
    # An app without progress lacks the field in every status.
    shown = f" {body['status']}, progress {json.dumps(percent)[:30]}" if "progress" in body else ", without progress"
    seen = f"GET /agent/status/{task.task_id} → 200{shown}"
    task.progress = wire.percent(body, seen, task.progress)
    if note:
        app.timeline.note(seen)
    return task.progress


def at_work(app: App, task: Task, number: int = 1) -> Run:
    """The agent's run for a task whose status is running, before any report. `number`: the run for this prompt."""
    run = app.started(task, number)
    app.until(task, "running")
    return run


def report(app: App, task: Task, run: Run, percent: float) -> None:
    """Make the agent report progress, which must not end it. An external agent cannot be controlled: just poll."""
    if app.external:
        poll_to_the_end(app, task)
        return
    app.timeline.note(f"the agent reports {percent:g} on {task.task_id}")
    if not run.progress(percent):
        app.timeline.amend(", but the callback has not returned after 1 s")
    if run.gone.is_set():
        app.wait_for_traceback()
        ended = app.ended()
        raise Wrong("CRASHED" if ended else "REPORT_ENDS_THE_AGENT", ended)


def poll_to_the_end(app: App, task: Task) -> None:
    """Poll until the task is finished."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while not task.finished:
        poll(app, task, note=False)
        if time.monotonic() > deadline:
            raise Wrong("STUCK_RUNNING", f"GET /agent/status/{task.task_id} → {task.seen}, still")
        time.sleep(LOOK_SECONDS)
    poll(app, task)


def shows(app: App, task: Task, run: Run, least: int, most: int | None = None) -> None:
    """Check that status shows a progress from `least` to `most` while the agent is still working."""
    if app.external:
        poll(app, task)
        return
    deadline = time.monotonic() + app.time_limit
    while (percent := poll(app, task, note=False)) < least and time.monotonic() < deadline:
        if task.seen in FINISHED:
            break
        time.sleep(0.01)
    shown = f"200 {task.seen}, progress {percent}"
    if percent < least:
        shown = f"after {app.time_limit:g} s of polling, still {shown}" if task.seen not in FINISHED else shown
    app.timeline.note(f"GET /agent/status/{task.task_id} → {shown}")
    if task.seen in FINISHED and run.works_on():
        raise Wrong(
            "FINISHED_TOO_SOON",
            likely='"completed" is written when the agent reports 100, but the agent has not returned yet.',
            next_step='write "completed" in one place only: after run_agent has returned.',
        )
    if percent < least:
        raise Wrong("PROGRESS_NOT_SHOWN")
    if percent > (least if most is None else most):
        raise Wrong("PROGRESS_MADE_UP")
