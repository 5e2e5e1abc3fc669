"""Checkpoint 5: an agent that hangs is ended and its task says so, and what has finished is forgotten in time.

No verdict rests on a guess about the machine's speed: where a moment counts, it is compared with the earliest
one at which a right solution could have done the same.
"""

import time

import pytest

from tests.checkpoints.app import FINISHED, App, Json, Task
from tests.checkpoints.desk import Run
from tests.checkpoints.stage import Stage
from tests.checkpoints.verdict import NotFromOutside, Wrong

#: Longer than any check.
LONG = 30
SHORT = 0.06


def serve(stage: Stage, *, timeout: float = LONG, ttl: float = LONG, workers: int = 1) -> App:
    """The learner's app with these settings."""
    if stage.url and (timeout, ttl) != (LONG, LONG):
        raise NotFromOutside("it needs a timeout and a time to live of its own choice, and these are the server's own")
    return stage.serve(WORKERS=str(workers), TASK_TIMEOUT_SECONDS=str(timeout), TASK_TTL_SECONDS=str(ttl))


def begins(app: App, task: Task, within: float | None = None) -> Run | None:
    """The agent's run for a task; None when none was seen, and the task has timed out or still waits."""
    if app.outside:
        return app.started(task)
    deadline = time.monotonic() + (within or app.patience)
    while (run := app.desk.wait_for(task.prompt, 0.02)) is None and time.monotonic() < deadline:
        body = app.status(task, note=False)
        if body["status"] in FINISHED and not app.desk.of(task.prompt):
            if error_in(body)[0] != "timeout":
                raise _not_called(app, task, body)
            return None
    return run and app.started(task)


def must_begin(app: App, task: Task) -> Run:
    """The agent's run for a task that has all the time it needs."""
    run = begins(app, task)
    if run is None and task.seen in FINISHED:
        raise _not_called(app, task, app.status(task, note=False))
    return run or app.started(task, within=0.01)


def _not_called(app: App, task: Task, body: Json) -> Wrong:
    app.timeline.note(f"GET /agent/status/{task.task_id} → 200 {body['status']}")
    message = error_in(body)[1]
    return Wrong("FAILED_BEFORE_WORK", f"its error says: {message}" if message else "")


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
        return app.until(task, "failed", timeout + app.patience)
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


def told(body: Json) -> str:
    """The error of a task in a few words."""
    code = error_in(body)[0]
    return f"error has the code {code!r}" if code is not None else f"error is {body.get('error')!r}"


@pytest.mark.points(2)
@pytest.mark.gap("TODO 1")
def test_an_agent_that_is_done_in_time_is_not_disturbed(stage: Stage) -> None:
    """An agent that is done in time is not disturbed: its task is completed, and stays so."""
    app = serve(stage, workers=2)
    first, second = app.submit(), app.submit()
    run = must_begin(app, second)
    finish(app, first, must_begin(app, first))
    # Whoever takes seconds for milliseconds is done with both by now.
    watched = time.monotonic() + 2 * LONG / 1000
    while time.monotonic() < watched and app.status(second, note=False)["status"] != "failed":
        app.status(first, note=False)
        time.sleep(0.01)
    if second.seen == "failed":
        app.timeline.note(f"GET /agent/status/{second.task_id} → 200 failed, where {LONG} s are allowed")
        raise Wrong("ENDED_TOO_SOON")
    finish(app, second, run)
    app.status(first)


@pytest.mark.points(2)
@pytest.mark.gap("TODO 1")
def test_a_task_whose_agent_hangs_is_failed_with_timeout(stage: Stage) -> None:
    """A task whose agent hangs is failed when its time is up, and its error says timeout."""
    app = serve(stage, timeout=SHORT)
    task = app.submit()
    begins(app, task)
    body = ended(app, task, SHORT)
    code, message = error_in(body)
    if code != "timeout":
        raise Wrong("TIMEOUT_NOT_TOLD", f"its {told(body)}, where the code 'timeout' is due")
    if not isinstance(message, str) or not message.strip():
        raise Wrong(
            "TIMEOUT_NOT_TOLD",
            f'the "message" of the error is {message!r}, and tells nobody anything',
            likely="the message is `str(error)`, and the text of a TimeoutError is empty.",
            next_step="write a message of your own, that says how long the agent was given.",
        )


@pytest.mark.points(2)
@pytest.mark.gap("TODO 1")
def test_the_agent_stops_when_its_task_is_ended(stage: Stage) -> None:
    """When its time is up the agent really stops, and the outcome stays."""
    app = serve(stage, timeout=SHORT)
    run = None
    for _ in range(3):  # on a slow machine the time may be up before the agent was seen
        task = app.submit()
        run = run or begins(app, task)
        ended(app, task, SHORT)
        if run:
            break
    if run is None:
        raise Wrong("FAILED_BEFORE_WORK")
    if not run.gone.wait(app.patience):
        app.timeline.note("the agent still works")
        app.finish(task, run)
        app.status(task)
        raise Wrong("STILL_WORKING")


@pytest.mark.gap("TODO 1")
def test_the_worker_takes_the_next_task(stage: Stage) -> None:
    """A worker whose task was ended takes the next one."""
    app = serve(stage, timeout=SHORT)
    hanging, following = app.submit(), app.submit()
    begins(app, hanging)
    ended(app, hanging, SHORT)
    if begins(app, following) is None and following.seen not in FINISHED:
        app.timeline.note(f"GET /agent/status/{following.task_id} → still, after {app.patience:g} s: {following.seen}")
        raise Wrong("WORKER_STUCK")


@pytest.mark.gap("TODO 1")
def test_the_clock_starts_with_the_work(stage: Stage) -> None:
    """The clock starts when the agent does: a task that waited has its full time."""
    timeout = 0.2  # so much that a busy machine tells the half of it from the whole
    app = serve(stage, timeout=timeout)
    earliest = time.monotonic() + 2 * timeout  # one worker: the first has its full time, and then the second
    hanging, waiting = app.submit(), app.submit()
    begins(app, hanging)
    run = begins(app, waiting, timeout + app.patience)
    if run is None and waiting.seen == "pending":
        raise Wrong("WORKER_STUCK", f"GET /agent/status/{waiting.task_id} → pending")
    watched = time.monotonic() + 0.06
    while time.monotonic() < watched and app.status(waiting, note=False)["status"] == "running":
        time.sleep(0.01)
    if run and waiting.seen == "running":
        answer = app.finish(waiting, run)
        app.status(waiting, note=False)
        if waiting.seen == "running":
            app.completed(waiting, answer)
    if waiting.seen == "failed" and (early := earliest - time.monotonic()) > 0:
        app.timeline.note(f"GET /agent/status/{waiting.task_id} → failed, at least {early:.1f} s before its time is up")
        raise Wrong("TIMEOUT_COUNTS_WAITING")


@pytest.mark.gap("TODO 1")
def test_an_agent_that_fails_by_itself_is_an_agent_error(stage: Stage) -> None:
    """An agent that fails with time left is an agent_error, also when it raises a TimeoutError."""
    app = serve(stage)
    app.must_hold_the_agent()
    for kind, message in {"RuntimeError": "the model refused", "TimeoutError": "the model took too long"}.items():
        task = app.submit()
        app.fail(task, must_begin(app, task), message, kind)
        body = app.until(task, "failed")
        if (code := error_in(body)[0]) != "agent_error":
            wrong = "TIMEOUT_BY_MISTAKE" if code == "timeout" else "FAILURE_NOT_TOLD"
            raise Wrong(wrong, f"its {told(body)}, where the code 'agent_error' is due")


def test_a_finished_record_goes_after_its_time(stage: Stage) -> None:
    """A finished task is forgotten when its time to live is over, whether anybody asks or not."""
    app = serve(stage, ttl=SHORT)
    done, broken = app.submit(), app.submit()
    app.finish(done, must_begin(app, done))
    run = app.started(broken)
    app.fail(broken, run)
    _until_kept(app, 0)
    for task in (done, broken):
        answer = app.ask("GET", f"/agent/status/{task.task_id}")
        if answer.status != 404:
            raise Wrong("NEVER_FORGOTTEN", f"GET /health counted no tasks, and {task.task_id} is still known")


def _until_kept(app: App, wanted: int) -> None:
    """Wait until so many records are kept, without asking for any of them: that might be what removes them."""
    deadline = time.monotonic() + SHORT + app.patience
    while True:
        answer = app.ask("GET", "/health", note=False)
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
            raise Wrong("NEVER_FORGOTTEN", f"GET /health → still, after {SHORT + app.patience:g} s: tasks: {kept}")
        time.sleep(0.02)


def test_an_unfinished_task_is_never_forgotten(stage: Stage) -> None:
    """A task that is not finished stays, and its time to live begins when it has finished."""
    app = serve(stage, ttl=SHORT, workers=2)
    old, young = app.submit(), app.submit()
    run = must_begin(app, old)
    app.finish(young, must_begin(app, young))
    _until_kept(app, 1)
    finished = None
    try:
        app.status(old)
        finished = time.monotonic()
        app.finish(old, run)
        app.status(old)
    except Wrong as wrong:
        if wrong.code != "RECORD_TOO_LATE":
            raise
        if finished and time.monotonic() - finished >= SHORT:
            return  # on a machine as slow as this its time is over
        raise Wrong(
            "FORGOTTEN_TOO_SOON",
            wrong.seen,
            likely="the time to live is counted from the submit, or from the start of the work.",
            next_step="count it from the end of the task: call what forgets it when the outcome is written.",
        ) from None
