"""The progress of a task, from what the agent reports to what the status route says."""

import json
import time

from tests.checkpoints.engine.actors.agent_control import Run
from tests.checkpoints.engine.actors.app import App
from tests.checkpoints.engine.actors.external import LONGEST_SECONDS, LOOK_SECONDS
from tests.checkpoints.engine.actors.task import FINISHED, Task
from tests.checkpoints.engine.diagnosis.failures import Wrong
from tests.checkpoints.engine.http import wire


def poll(app: App, task: Task, note: bool = True) -> int:
    """The progress as the status route tells it now: a whole percent that has not gone back."""
    body = app.status(task, note=False)
    percent = body.get("progress")
    # Who has no progress has none in any status.
    told = f" {body['status']}, progress {json.dumps(percent)[:30]}" if "progress" in body else ", progress not there"
    seen = f"GET /agent/status/{task.task_id} → 200{told}"
    task.progress = wire.percent(body, seen, task.progress)
    if note:
        app.timeline.note(seen)
    return task.progress


def at_work(app: App, task: Task, number: int = 1) -> Run:
    """The agent's run for a task that is told as running, with nothing reported yet; the second for its prompt, say."""
    run = app.started(task, number)
    app.until(task, "running")
    return run


def report(app: App, task: Task, run: Run, percent: float) -> None:
    """Let the agent report how far it is, which must not end it. Somebody else's reports what it will."""
    if app.external:
        poll_to_the_end(app, task)
        return
    app.timeline.note(f"the agent reports {percent:g} on {task.task_id}")
    if not run.progress(percent):
        app.timeline.amend(", and what takes the report has not returned after 1 s")
    if run.gone.is_set():
        app.wait_for_traceback()
        ended = app.ended()
        raise Wrong("CRASHED" if ended else "REPORT_ENDS_THE_AGENT", ended)


def poll_to_the_end(app: App, task: Task) -> None:
    """Look again and again until the task is finished."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while not task.finished:
        poll(app, task, note=False)
        if time.monotonic() > deadline:
            raise Wrong("STUCK_RUNNING", f"GET /agent/status/{task.task_id} → still {task.seen}")
        time.sleep(LOOK_SECONDS)
    poll(app, task)


def shows(app: App, task: Task, run: Run, least: int, most: int | None = None) -> None:
    """A progress from `least` to `most` is told, while the agent is still at work."""
    if app.external:
        poll(app, task)
        return
    deadline = time.monotonic() + app.time_limit
    while (percent := poll(app, task, note=False)) < least and time.monotonic() < deadline:
        if task.seen in FINISHED:
            break
        time.sleep(0.01)
    told = f"200 {task.seen}, progress {percent}"
    if percent < least:
        told = f"still, after {app.time_limit:g} s of asking: {told}" if task.seen not in FINISHED else told
    app.timeline.note(f"GET /agent/status/{task.task_id} → {told}")
    if task.seen in FINISHED and run.works_on():
        raise Wrong(
            "FINISHED_TOO_SOON",
            likely='"completed" is written when a report says 100. A report is a guess; the agent has yet to return.',
            next_step='write "completed" in one place only: after run_agent has returned.',
        )
    if percent < least:
        raise Wrong("PROGRESS_NOT_SHOWN")
    if percent > (least if most is None else most):
        raise Wrong("PROGRESS_MADE_UP")
