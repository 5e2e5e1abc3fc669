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
#: When a task is over, its agent's call has long been sent; its control may hear of it a moment later.
HEARD_SECONDS = 0.5


def serve(environment: CheckEnvironment, *, timeout: float = LONG, ttl: float = LONG, workers: int = 1) -> App:
    """The learner's app with these settings."""
    if environment.url and (timeout, ttl) != (LONG, LONG):
        raise NotFromOutside("it needs a timeout and a time to live of its own choice, and these are the server's own")
    return environment.serve(WORKERS=str(workers), TASK_TIMEOUT_SECONDS=str(timeout), TASK_TTL_SECONDS=str(ttl))


def begins(app: App, task: Task, within: float | None = None) -> Run | None:
    """The agent's run for a task; None when none was seen, and the task has timed out or still waits."""
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
    """The task as it is told now, and what is wrong with that."""
    try:
        return app.status(task, note=False), None
    except Wrong as wrong:
        return {}, wrong


def hangs(environment: CheckEnvironment) -> tuple[App, Task, Run | None, float]:
    """An app, a task whose agent hangs, its run, and its timeout. None as the run when no agent was called.

    On a slow machine the time may be up before the agent has called. Then it is given more.
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
    """The agent's run for a task that has all the time it needs."""
    run = begins(app, task)
    if run is None and task.seen in FINISHED:
        body = app.status(task, note=False)
        raise ended_too_soon(app, task) if error_in(body)[0] == "timeout" else _not_called(app, task, body)
    return run or app.started(task, within=0.01)


def ended_too_soon(app: App, task: Task) -> Wrong:
    """The diagnosis of a task that is told as failed long before its time is up."""
    app.timeline.note(f"GET /agent/status/{task.task_id} → 200 failed, where {LONG} s are allowed")
    return Wrong("ENDED_TOO_SOON")


def _not_called(app: App, task: Task, body: Json) -> Wrong:
    app.timeline.note(f"GET /agent/status/{task.task_id} → 200 {body['status']}")
    message = error_in(body)[1]
    return Wrong("FAILED_BEFORE_WORK", f"its error says: {message}" if message else "")


def watch(app: App, task: Task, until: float) -> None:
    """Ask for a task's status until it is finished, or until this moment (`time.monotonic()`) and a little longer.

    A process that got no processor time until then runs the timers that are due before it answers the last requests.
    """
    while time.monotonic() < until and app.status(task, note=False)["status"] not in FINISHED:
        time.sleep(0.01)
    for _ in range(3):
        app.status(task, note=False)


def finish(app: App, task: Task, run: Run) -> None:
    """Let the agent finish a task, which must then be told as completed."""
    answer = app.finish(task, run)
    try:
        app.completed(task, answer)
    except Wrong as wrong:
        if wrong.code == "RECORD_TOO_LATE":  # it had been there, and the check itself let it finish
            likely = "what removes it is called now: `call_later(seconds, tasks.pop(…))` removes first, and then waits."
            next_step = "give `call_later` the function and its arguments apart, without calling it."
            raise Wrong("FORGOTTEN_TOO_SOON", wrong.seen, likely, next_step) from None
        raise


def ended(app: App, task: Task, timeout: float) -> Json:
    """The task, once it has failed; the agent hangs, and it is its timeout that must end it."""
    try:
        return app.until(task, "failed", timeout + app.time_limit)
    except Wrong as wrong:
        if wrong.code == "FAILURE_NOT_TOLD":
            raise Wrong("TIMEOUT_NOT_TOLD" if task.seen in FINISHED else "HANGS_FOREVER", wrong.seen) from None
        if wrong.code == "RECORD_TOO_LATE":
            likely = "the record is removed when the time is up, where it should say that it was."
            raise Wrong("FORGOTTEN_TOO_SOON", wrong.seen, likely) from None
        raise


def error_in(body: Json) -> tuple[object, object]:
    """The code and the message of a task's error, whatever they are."""
    error = body.get("error")
    return (error.get("code"), error.get("message")) if isinstance(error, dict) else (None, None)


def error_in_words(body: Json) -> str:
    """The error of a task in a few words."""
    code = error_in(body)[0]
    return f"error has the code {code!r}" if code is not None else f"error is {body.get('error')!r}"


def until_kept(app: App, wanted: int) -> None:
    """Wait until so many records are kept, without asking for any of them: that might be what removes them."""
    deadline = time.monotonic() + SHORT + app.time_limit
    while True:
        answer = app.request("GET", "/health", note=False)
        kept = answer.json.get("tasks") if isinstance(answer.json, dict) else None
        if not isinstance(kept, int):
            likely = "the health route is not the stub's any more."
            raise Wrong("NOT_JSON", f"GET /health → {answer.status} {answer.text}", likely, 'give back its "tasks".')
        if kept <= wanted:
            app.timeline.note(f"GET /health → 200, tasks: {wanted}" + (" or fewer" if wanted else ""))
            return
        if time.monotonic() > deadline:
            if broke := app.what_broke():
                app.timeline.note(f"it printed {broke}")
            raise Wrong("NEVER_FORGOTTEN", f"GET /health → still, after {SHORT + app.time_limit:g} s: tasks: {kept}")
        time.sleep(0.01)


def taken(app: App, task: Task, likely: str = "", next_step: str = "") -> Run | None:
    """The agent's run for a task that the worker must take; None when its time was up before it was seen."""
    run = begins(app, task)
    if run is None and task.seen not in FINISHED:
        app.timeline.note(f"GET /agent/status/{task.task_id} → still, after {app.time_limit:g} s: {task.seen}")
        raise Wrong("WORKER_STUCK", "", likely, next_step)
    return run


def completed_in_time(app: App, task: Task, answer: str) -> bool:
    """Whether a task whose agent was let finish is completed, and was not ended before."""
    try:
        app.completed(task, answer)
    except Wrong:
        if task.seen == "failed" and error_in(app.status(task, note=False))[0] == "timeout":
            return False
        raise
    return True


def over(app: App, timeout: float, end: Callable[[Task, Run], object]) -> tuple[Task, bool]:
    """A task whose agent comes to this end, and whether that was surely before its time was up."""
    up = time.monotonic() + timeout
    task = app.submit()
    try:
        if run := begins(app, task):
            end(task, run)
    except Wrong as wrong:
        if wrong.code != "RECORD_TOO_LATE" or time.monotonic() < up + SHORT:
            raise  # later it may be gone by right
    return task, time.monotonic() < up


def say_which_is_kept(app: App, hanging: Task, others: list[Task], wrong: Wrong) -> None:
    """Say more of what is wrong, when of all tasks only the one that was ended at its timeout is kept."""
    kept = [
        app.request("GET", f"/agent/status/{task.task_id}", note=False).status == 200 for task in (hanging, *others)
    ]
    if kept == [True, False, False]:
        app.timeline.note(wrong.seen)
        wrong.seen = f"the one that is kept is {hanging.task_id}, which was ended at its timeout"
        wrong.likely = "a task that was ended at its timeout does not get to `forget_later`, or is left out there."
        wrong.next_step = (
            "let `run` return after a timeout, too, without a `raise`; forget a task whatever became of it."
        )


def known(app: App, task: Task, until: float) -> bool:
    """See that a finished task is known until then; False when it is not, and may have gone by right."""
    try:
        app.status(task)
    except Wrong as wrong:
        if wrong.code != "RECORD_TOO_LATE":
            raise
        if time.monotonic() >= until:
            return False
        raise Wrong(
            "FORGOTTEN_TOO_SOON",
            f"its time to live is not over: {task.task_id} finished after the one that is gone by right",
            likely="when the time of one record is over, others that have finished are removed too, or a failed one "
            "has less time.",
            next_step="remove the one record, by its id, when TASK_TTL_SECONDS are over, however it ended.",
        ) from None
    return True
