"""Checkpoint 4: the work is done by a Celery worker, and what is known of a task outlives the web process."""

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
from tests.checkpoints.engine.http.http_client import NoAnswer, send_request
from tests.checkpoints.engine.processes.background import in_background

_OTHER_DIGITS = str.maketrans("0123456789abcdef", "123456789abcdef0")
_TEN_MINUTES = 600
_FAILURES = {"RuntimeError": "the model refused", "TimeoutError": "the model took too long"}


def no_result_yet(body: Json) -> None:
    """Whoever is not completed has no result, and whoever has not failed has no error."""
    if body.get("result") is not None:
        raise Wrong("RESULT_TOO_SOON", f'status is {body["status"]}, and "result" is {body["result"]!r}')
    if body.get("error") is not None and body["status"] != "failed":
        raise Wrong(
            "RESULT_TOO_SOON",
            f'status is {body["status"]}, and "error" is {body["error"]!r}',
            likely="the error is the text of Celery's `result` in every state: `str(None)` is a text, too.",
            next_step="give back an error only when the state is FAILURE, and None in every other.",
        )


def running(app: App, task: Task) -> None:
    """The task must be told as running, without a result."""
    try:
        body = app.until(task, "running")
    except Wrong as wrong:
        if wrong.code == "NOT_MARKED_RUNNING":
            wrong.likely = "Celery says STARTED only when it is told to; until then its word is PENDING."
            wrong.next_step = "in worker.py: `celery.conf.task_track_started = True`. In app.py STARTED is our running."
        raise
    no_result_yet(body)


@pytest.mark.points(3)
def test_a_worker_completes_the_task(environment: CheckEnvironment) -> None:
    """Submit is answered at once; a worker does the work, and status tells how it stands."""
    deployment = CeleryDeployment(environment)
    app = deployment.app
    task = app.submit()
    run = deployment.started(task)
    running(app, task)
    second = app.submit()
    if second.task_id == task.task_id:
        raise Wrong("TASKS_MIXED_UP", "both submits were answered with the same id")
    other = deployment.started(second)
    app.completed(second, app.finish(second, other))
    try:
        still = app.status(task)["status"]
    except Wrong as wrong:
        if wrong.code == "RECORD_TOO_LATE":  # it was known until the second one came
            raise Wrong("TASKS_MIXED_UP", wrong.seen) from None
        raise
    if still != "running":
        raise Wrong("TASKS_MIXED_UP", "the first task is told as the second one is")
    answer = app.completed(task, app.finish(task, run))["result"]
    app.completed(task, answer)
    if app.submit_again(task).task_id == task.task_id:
        raise Wrong(
            "TASKS_MIXED_UP",
            f"its prompt is that of {task.task_id}, and so is the id in the answer",
            likely="the id is made from the prompt, or the task that has this prompt already is given back.",
            next_step="take the id that Celery makes for each message: `work.delay(…).id`.",
        )
    environment.pass_time(minutes=10)
    still_known(app, task, answer)


def still_known(app: App, task: Task, answer: str) -> None:
    """The outcome of a task that finished minutes ago."""
    try:
        app.completed(task, answer)
    except Wrong as wrong:
        if wrong.code not in {"FORGOTTEN_TOO_SOON", "STATUS_WENT_BACK"}:
            raise
        raise Wrong(
            "FORGOTTEN_TOO_SOON",
            likely="its time to live is short: `ex` (of your note) and `result_expires` (of the result) are seconds.",
            next_step="let both live for a day: 86_400 seconds. Then a client may ask tomorrow.",
        ) from None


@pytest.mark.points(2)
def test_a_task_waits_for_a_worker(environment: CheckEnvironment) -> None:
    """A task that no worker has taken yet is pending, and is completed by a worker that comes later."""
    deployment = CeleryDeployment(environment, workers=0)
    app = deployment.app
    environment.timeline.note("no worker runs")
    task = app.submit()
    no_result_yet(waits(app, task))
    must_not_expire(environment, task)
    deployment.add_worker()
    run = deployment.started(task)
    app.until(task, "running")
    app.completed(task, app.finish(task, run))


def must_not_expire(environment: CheckEnvironment, task: Task) -> None:
    """See that the message waits for as long as no worker comes: ten minutes are nothing."""
    expires = environment.broker.expiry(task.task_id)
    if expires and (datetime.fromisoformat(expires) - datetime.now(UTC)).total_seconds() < _TEN_MINUTES:
        raise Wrong(
            "FAILED_BEFORE_WORK",
            "its message expires within ten minutes: a worker that comes later throws it away, and the task is failed",
            likely="`expires` is a limit for the waiting, where one for the work was meant.",
            next_step="leave it out: a task is pending until a worker comes.",
        )


def failed(app: App, task: Task) -> Json:
    """The task, which must be told as failed."""
    try:
        return app.until(task, "failed")
    except Wrong as wrong:
        if wrong.code == "FAILURE_NOT_TOLD":
            wrong.likely = (
                "`work` catches what the agent raises, so to Celery it went well; or FAILURE is not our failed."
            )
            wrong.next_step = (
                "let the exception out of `work`: Celery makes FAILURE of it. In app.py that is our failed."
            )
        raise


def waits(app: App, task: Task) -> Json:
    """The task, which must be told as pending."""
    body = app.status(task)
    if body["status"] != "pending":
        raise Wrong("RUNNING_TOO_SOON" if body["status"] == "running" else "FINISHED_TOO_SOON")
    return body


@pytest.mark.points(2)
def test_tasks_outlive_the_web_process(environment: CheckEnvironment) -> None:
    """When the web process is killed and started again, its tasks go on, and are known."""
    deployment = CeleryDeployment(environment)
    done, task = deployment.app.submit(), deployment.app.submit()
    first, run = deployment.started(done), deployment.started(task)
    result = deployment.app.finish(done, first)
    deployment.app.completed(done, result)
    deployment.app.until(task, "running")
    deployment.started(deployment.app.submit())  # and now both processes of the pool have something to do
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
def test_a_failure_is_told(environment: CheckEnvironment) -> None:
    """When the agent fails, the task is failed, and its error says what the agent said."""
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
        app.until(task, "failed")  # whoever mislaid the answer asks again


def test_nobody_else_waits_for_redis(environment: CheckEnvironment) -> None:
    """While submit and status wait for Redis, other requests are answered."""
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
                environment.timeline.note(f"{method} {path} waits for it, and GET / gets no answer")
                raise Wrong(
                    "BLOCKING_CALL",
                    likely="the handler is an `async def`, and what it calls blocks until Redis answers.",
                    next_step="make the handler a plain `def`: FastAPI runs it in a thread, where it may wait.",
                )
        with suppress(NoAnswer):
            asked.result()


@pytest.mark.independent
def test_an_id_that_was_never_given_out_is_404(environment: CheckEnvironment) -> None:
    """An id that was never given out is answered with 404, though Celery calls it PENDING."""
    app = CeleryDeployment(environment, workers=0).app
    task = app.submit()
    app.must_not_know()
    try:
        app.must_not_know("*")
    except Wrong as wrong:
        if not wrong.likely:
            wrong.likely = "Redis is asked for all names that fit a pattern (`KEYS`, `SCAN`), and `*` fits all."
            wrong.next_step = "ask for the one name, which is no pattern: `exists`, `get`."
        raise
    alike = task.task_id[:-12] + task.task_id[-12:].translate(_OTHER_DIGITS)
    if alike == task.task_id:  # it has no digits there
        return
    app.timeline.call(alike, "{an id of the same form}")
    try:
        app.must_not_know(alike)
    except Wrong as wrong:
        if not wrong.likely:
            wrong.likely = "what is asked for is the form of an id, and not whether it was given out."
            wrong.next_step = "let submit note in Redis each id that it gives out, and status look for that note."
        raise
