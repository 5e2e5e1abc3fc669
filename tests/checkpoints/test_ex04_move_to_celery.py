"""Checkpoint 4: a Celery worker does the work, and the tasks outlive the web process."""

import time
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

import pytest

from tests.checkpoints.engine.actors.app import App
from tests.checkpoints.engine.actors.celery_deployment import CeleryDeployment
from tests.checkpoints.engine.actors.environment import CheckEnvironment
from tests.checkpoints.engine.actors.task import Json, Task, must_say_why
from tests.checkpoints.engine.diagnosis.failures import Wrong
from tests.checkpoints.engine.http.http_client import NoResponse, send_request
from tests.checkpoints.engine.processes.background import in_background

_OTHER_DIGITS = str.maketrans("0123456789abcdef", "123456789abcdef0")
_TEN_MINUTES = 600
_FAILURES = {"RuntimeError": "the model refused", "TimeoutError": "the model took too long"}


def no_result_yet(body: Json) -> None:
    """Check that only a completed task has a result, and only a failed task an error."""
    if body.get("result") is not None:
        raise Wrong("RESULT_TOO_SOON", f'status is {body["status"]}, but "result" is {body["result"]!r}')
    if body.get("error") is not None and body["status"] != "failed":
        raise Wrong(
            "RESULT_TOO_SOON",
            f'status is {body["status"]}, but "error" is {body["error"]!r}',
            likely="the error is `str(…)` of Celery's `result` in every state: `str(None)` is the string 'None'.",
            next_step="return an error only if the state is FAILURE, and None in all other states.",
        )


def running(app: App, task: Task) -> None:
    """Check that the task becomes running, without a result."""
    try:
        body = app.until(task, "running")
    except Wrong as wrong:
        if wrong.code == "NOT_MARKED_RUNNING":
            wrong.likely = "by default, Celery does not report STARTED: the state stays PENDING."
            wrong.next_step = (
                "set `celery.conf.task_track_started = True` in worker.py, and map STARTED to running in app.py."
            )
        raise
    no_result_yet(body)


@pytest.mark.points(3)
def test_a_worker_completes_the_task(environment: CheckEnvironment) -> None:
    """Submit responds at once, a worker does the work, and status follows it."""
    deployment = CeleryDeployment(environment)
    app = deployment.app
    task = app.submit()
    run = deployment.started(task)
    running(app, task)
    second = app.submit()
    if second.task_id == task.task_id:
        raise Wrong("TASKS_MIXED_UP", "both submits returned the same id")
    other = deployment.started(second)
    app.completed(second, app.finish(second, other))
    try:
        still = app.status(task)["status"]
    except Wrong as wrong:
        if wrong.code == "RECORD_TOO_LATE":  # it was known until the second submit
            raise Wrong("TASKS_MIXED_UP", wrong.seen) from None
        raise
    if still != "running":
        raise Wrong("TASKS_MIXED_UP", "the first task has the status of the second")
    answer = app.completed(task, app.finish(task, run))["result"]
    app.completed(task, answer)
    if app.submit_again(task).task_id == task.task_id:
        raise Wrong(
            "TASKS_MIXED_UP",
            f"it has the same prompt as {task.task_id}, and got the same id",
            likely="the id is derived from the prompt, or submit returns an earlier task with the same prompt.",
            next_step="use the id that Celery creates for each message: `work.delay(…).id`.",
        )
    environment.pass_time(minutes=10)
    still_known(app, task, answer)


def still_known(app: App, task: Task, answer: str) -> None:
    """Check that the outcome of a task is still known minutes later."""
    try:
        app.completed(task, answer)
    except Wrong as wrong:
        if wrong.code not in {"FORGOTTEN_TOO_SOON", "STATUS_WENT_BACK"}:
            raise
        raise Wrong(
            "FORGOTTEN_TOO_SOON",
            likely="the time to live is too short: `ex` (your key) and `result_expires` (the result) are in seconds.",
            next_step="set both to a day, 86_400 seconds, so that a client can still poll tomorrow.",
        ) from None


@pytest.mark.points(2)
def test_a_task_waits_for_a_worker(environment: CheckEnvironment) -> None:
    """A task is pending until a worker takes it, and a worker that starts later completes it."""
    deployment = CeleryDeployment(environment, workers=0)
    app = deployment.app
    environment.timeline.note("no worker is running")
    task = app.submit()
    no_result_yet(waits(app, task))
    must_not_expire(environment, task)
    deployment.add_worker()
    run = deployment.started(task)
    app.until(task, "running")
    app.completed(task, app.finish(task, run))


def must_not_expire(environment: CheckEnvironment, task: Task) -> None:
    """Check that the message waits until a worker starts, for ten minutes at least."""
    expires = environment.broker.expiry(task.task_id)
    if expires and (datetime.fromisoformat(expires) - datetime.now(UTC)).total_seconds() < _TEN_MINUTES:
        raise Wrong(
            "FAILED_BEFORE_WORK",
            "its message expires within ten minutes: a worker that starts later discards it",
            likely="`expires` limits the time in the queue, not the time of the work.",
            next_step="remove it: a task stays pending until a worker takes it.",
        )


def failed(app: App, task: Task) -> Json:
    """The task, which must become failed."""
    try:
        return app.until(task, "failed")
    except Wrong as wrong:
        if wrong.code == "FAILURE_NOT_TOLD":
            wrong.likely = (
                "`work` catches the agent's exception, so Celery sees a success, or FAILURE is not mapped to failed."
            )
            wrong.next_step = "let `work` raise: Celery then sets the state FAILURE. Map it to failed in app.py."
        raise


def waits(app: App, task: Task) -> Json:
    """The task, which must be pending."""
    body = app.status(task)
    if body["status"] != "pending":
        raise Wrong("RUNNING_TOO_SOON" if body["status"] == "running" else "FINISHED_TOO_SOON")
    return body


@pytest.mark.points(2)
def test_tasks_outlive_the_web_process(environment: CheckEnvironment) -> None:
    """When the web process is killed and restarted, its tasks continue, and are still known."""
    deployment = CeleryDeployment(environment)
    done, task = deployment.app.submit(), deployment.app.submit()
    first, run = deployment.started(done), deployment.started(task)
    result = deployment.app.finish(done, first)
    deployment.app.completed(done, result)
    deployment.app.until(task, "running")
    deployment.started(deployment.app.submit())  # now both pool processes are busy
    waiting = deployment.app.submit()
    waits(deployment.app, waiting)
    deployment.restart_web()
    try:
        deployment.app.until(task, "running")
        deployment.app.completed(done, result)
        waits(deployment.app, waiting)
    except Wrong as wrong:
        if wrong.code in {"RECORD_TOO_LATE", "FORGOTTEN_TOO_SOON", "SERVER_ERROR", "STATUS_WENT_BACK"}:
            deployment.app.wait_for_traceback()
            raise Wrong("LOST_AT_RESTART", wrong.seen) from None
        raise
    deployment.app.completed(task, deployment.app.finish(task, run))


@pytest.mark.points(2)
def test_a_failure_is_reported(environment: CheckEnvironment) -> None:
    """When the agent fails, the task fails, and its error contains the agent's message."""
    deployment = CeleryDeployment(environment)
    app = deployment.app
    for kind, message in _FAILURES.items():
        task = app.submit()
        run = deployment.started(task)
        app.until(task, "running")
        app.fail(task, run, message, kind)
        deployment.forget_what_was_raised()
        body = failed(app, task)
        must_say_why(body, message)
        no_result_yet(body)
        app.until(task, "failed")  # a client may poll again


def test_other_requests_do_not_wait_for_redis(environment: CheckEnvironment) -> None:
    """While submit and status wait for Redis, other requests get responses."""
    app = CeleryDeployment(environment, workers=0).app
    task = app.submit()
    status = f"/agent/status/{task.task_id}"
    for method, path, body in (("POST", "/agent/submit", {"prompt": app.new_prompt()}), ("GET", status, None)):
        with environment.redis_suspended():
            asked = in_background(partial(send_request, app.url, method, path, body, within=4 * app.time_limit))
            watched = time.monotonic() + 0.05
            while app.answers():
                if time.monotonic() > watched:
                    break
            else:
                environment.timeline.note(f"{method} {path} waits for Redis, and GET / gets no response")
                raise Wrong(
                    "BLOCKING_CALL",
                    likely="the handler is an `async def`, but it calls code that blocks until Redis responds.",
                    next_step="make the handler a plain `def`: FastAPI runs it in a thread, where it may block.",
                )
        with suppress(NoResponse):
            asked.result()


@pytest.mark.independent
def test_an_unknown_id_is_404(environment: CheckEnvironment) -> None:
    """An unknown task id gets a 404, although Celery calls it PENDING."""
    app = CeleryDeployment(environment, workers=0).app
    task = app.submit()
    app.must_not_know()
    try:
        app.must_not_know("*")
    except Wrong as wrong:
        if not wrong.likely:
            wrong.likely = "the id is used as a pattern (`KEYS`, `SCAN`), and `*` matches every key in Redis."
            wrong.next_step = "look up the exact key: `exists`, `get`."
        raise
    alike = task.task_id[:-12] + task.task_id[-12:].translate(_OTHER_DIGITS)
    if alike == task.task_id:  # there are no digits to change
        return
    app.timeline.call(alike, "{an id of the same form}")
    try:
        app.must_not_know(alike)
    except Wrong as wrong:
        if not wrong.likely:
            wrong.likely = "status checks the form of the id, not whether submit returned it."
            wrong.next_step = "store each id in Redis in submit, and look it up in status."
        raise
