"""An app whose tasks have limits: a timeout for the agent, and a time to live for the record."""

import time
from collections.abc import Callable

from tests.checkpoints.engine.actors.agent_control import Run
from tests.checkpoints.engine.actors.app import App
from tests.checkpoints.engine.actors.environment import CheckEnvironment
from tests.checkpoints.engine.actors.task import FINISHED, Json, Task
from tests.checkpoints.engine.diagnosis.failures import NotFromOutside, Wrong

#: Longer than any check.
LONG = 30
SHORT = 0.06
#: When a task is finished, its agent has called; the control may notice the call a moment later.
HEARD_SECONDS = 0.5


def serve(environment: CheckEnvironment, *, timeout: float = LONG, ttl: float = LONG, workers: int = 1) -> App:
    """The learner's app with these settings."""
    if environment.url and (timeout, ttl) != (LONG, LONG):
        raise NotFromOutside("this check sets the timeout and the time to live, but the server has its own")
    return environment.serve(WORKERS=str(workers), TASK_TIMEOUT_SECONDS=str(timeout), TASK_TTL_SECONDS=str(ttl))


def begins(app: App, task: Task, within: float | None = None) -> Run | None:
    """The agent's run for a task; None if there was none, and the task has timed out or is still waiting."""
    if app.external:
        return app.started(task)
    deadline = time.monotonic() + (within or app.time_limit)
    while not app.agent_control.wait_for(task.prompt, 0.02) and time.monotonic() < deadline:
        body, wrong = _look(app, task)
        if (wrong or task.finished) and not app.agent_control.wait_for(task.prompt, HEARD_SECONDS):
            if wrong:
                raise wrong
            if error_in(body)[0] != "timeout":
                raise _not_called(app, task, body)
            return None
    return app.started(task) if app.agent_control.of(task.prompt) else None


def _look(app: App, task: Task) -> tuple[Json, Wrong | None]:
    """The task that status returns now, and what is wrong with it."""
    try:
        return app.status(task, note=False), None
    except Wrong as wrong:
        return {}, wrong


def hangs(environment: CheckEnvironment) -> tuple[App, Task, Run | None, float]:
    """An app, a task whose agent hangs, its run, and its timeout. The run is None if no agent was called.

    On a slow machine the timeout may pass before the agent has called. Then it tries again with a longer timeout.
    """
    for timeout in (SHORT, 4 * SHORT, 16 * SHORT):
        environment.timeline.begin_again()
        app = serve(environment, timeout=timeout)
        task = app.submit()
        run = begins(app, task)
        if run or not task.finished:
            break
    return app, task, run, timeout


def must_begin(app: App, task: Task) -> Run:
    """The agent's run for a task with a long timeout."""
    run = begins(app, task)
    if run is None and task.seen in FINISHED:
        body = app.status(task, note=False)
        raise ended_too_soon(app, task) if error_in(body)[0] == "timeout" else _not_called(app, task, body)
    return run or app.started(task, within=0.01)


def ended_too_soon(app: App, task: Task) -> Wrong:
    """The diagnosis of a task that fails long before its timeout."""
    app.timeline.note(f"GET /agent/status/{task.task_id} → 200 failed, but its timeout is {LONG} s")
    return Wrong("ENDED_TOO_SOON")


def _not_called(app: App, task: Task, body: Json) -> Wrong:
    app.timeline.note(f"GET /agent/status/{task.task_id} → 200 {body['status']}")
    message = error_in(body)[1]
    return Wrong("FAILED_BEFORE_WORK", f"its error says: {message}" if message else "")


def watch(app: App, task: Task, until: float) -> None:
    """Poll a task until it is finished, or until this time (`time.monotonic()`) and a little longer.

    A process that got no processor time until then runs its due timers before it responds to the last requests.
    """
    while time.monotonic() < until and app.status(task, note=False)["status"] not in FINISHED:
        time.sleep(0.01)
    for _ in range(3):
        app.status(task, note=False)


def finish(app: App, task: Task, run: Run) -> None:
    """Let the agent finish a task, which must then be completed."""
    answer = app.finish(task, run)
    try:
        app.completed(task, answer)
    except Wrong as wrong:
        if wrong.code == "RECORD_TOO_LATE":  # it was there before, and the agent finished
            likely = (
                "the record is removed at once: `call_later(seconds, tasks.pop(…))` calls `pop` first, and then waits."
            )
            next_step = "pass the function and its arguments to `call_later` separately, without calling it."
            raise Wrong("FORGOTTEN_TOO_SOON", wrong.seen, likely, next_step) from None
        raise


def ended(app: App, task: Task, timeout: float) -> Json:
    """The task, once it has failed: its agent hangs, and the timeout must end it."""
    try:
        return app.until(task, "failed", timeout + app.time_limit)
    except Wrong as wrong:
        if wrong.code == "FAILURE_NOT_TOLD":
            raise Wrong("TIMEOUT_NOT_TOLD" if task.seen in FINISHED else "HANGS_FOREVER", wrong.seen) from None
        if wrong.code == "RECORD_TOO_LATE":
            likely = "the record is removed at the timeout, instead of being marked as failed."
            raise Wrong("FORGOTTEN_TOO_SOON", wrong.seen, likely) from None
        raise


def error_in(body: Json) -> tuple[object, object]:
    """The code and the message of a task's error, whatever they are."""
    error = body.get("error")
    return (error.get("code"), error.get("message")) if isinstance(error, dict) else (None, None)


def error_in_words(body: Json) -> str:
    """The error of a task in a few words."""
    code = error_in(body)[0]
    return f"error has the code {code!r}" if code is not None else f"error is {body.get('error')!r}, without a code"


def until_kept(app: App, expected: int) -> None:
    """Wait until only `expected` records are left, without polling them: that might be what removes them."""
    deadline = time.monotonic() + SHORT + app.time_limit
    while True:
        answer = app.request("GET", "/health", note=False)
        kept = answer.json.get("tasks") if isinstance(answer.json, dict) else None
        if not isinstance(kept, int):
            likely = "the health route of the stub was changed."
            raise Wrong(
                "NOT_JSON",
                f"GET /health → {answer.status} {answer.text}",
                likely,
                'return the number of records as "tasks", as in the stub.',
            )
        if kept <= expected:
            app.timeline.note(f"GET /health → 200, tasks: {expected}" + (" or fewer" if expected else ""))
            return
        if time.monotonic() > deadline:
            if broke := app.what_broke():
                app.timeline.note(f"the server printed {broke}")
            raise Wrong("NEVER_FORGOTTEN", f"GET /health → after {SHORT + app.time_limit:g} s, still tasks: {kept}")
        time.sleep(0.01)


def taken(app: App, task: Task, likely: str = "", next_step: str = "") -> Run | None:
    """The agent's run for a task that the worker must take; None if it timed out before the run was seen."""
    run = begins(app, task)
    if run is None and task.seen not in FINISHED:
        app.timeline.note(f"GET /agent/status/{task.task_id} → after {app.time_limit:g} s, still {task.seen}")
        raise Wrong("WORKER_STUCK", "", likely, next_step)
    return run


def completed_in_time(app: App, task: Task, answer: str) -> bool:
    """Whether a task whose agent has finished is completed, and did not time out before."""
    try:
        app.completed(task, answer)
    except Wrong:
        if task.seen == "failed" and error_in(app.status(task, note=False))[0] == "timeout":
            return False
        raise
    return True


def over(app: App, timeout: float, end: Callable[[Task, Run], object]) -> tuple[Task, bool]:
    """A task whose agent ends in this way, and whether that was certainly before its timeout."""
    up = time.monotonic() + timeout
    task = app.submit()
    try:
        if run := begins(app, task):
            end(task, run)
    except Wrong as wrong:
        if wrong.code != "RECORD_TOO_LATE" or time.monotonic() < up + SHORT:
            raise  # later it may have expired
    return task, time.monotonic() < up


def say_which_is_kept(app: App, hanging: Task, others: list[Task], wrong: Wrong) -> None:
    """Add to the diagnosis if the only task that is still kept is the one that timed out."""
    kept = [
        app.request("GET", f"/agent/status/{task.task_id}", note=False).status == 200 for task in (hanging, *others)
    ]
    if kept == [True, False, False]:
        app.timeline.note(wrong.seen)
        wrong.seen = f"the task that is still kept is {hanging.task_id}, which timed out"
        wrong.likely = "a task that timed out does not reach `forget_later`, or is left out there."
        wrong.next_step = "do not raise in `run` after a timeout, and remove every finished task, whatever its outcome."


def known(app: App, task: Task, until: float) -> bool:
    """Check that a finished task is known until then; False if it is not, but may have expired."""
    try:
        app.status(task)
    except Wrong as wrong:
        if wrong.code != "RECORD_TOO_LATE":
            raise
        if time.monotonic() >= until:
            return False
        raise Wrong(
            "FORGOTTEN_TOO_SOON",
            f"its time to live is not over: {task.task_id} finished after the task that expired",
            likely="when a record expires, other finished records are removed too, or a failed record expires earlier.",
            next_step="after TASK_TTL_SECONDS, remove that one record by its id, whatever its outcome.",
        ) from None
    return True
