"""Checkpoint 3: a few workers over a bounded queue, and a 503 when it is full."""

from itertools import pairwise

import pytest

from tests.checkpoints.engine.actors.app import App
from tests.checkpoints.engine.actors.environment import CheckEnvironment
from tests.checkpoints.engine.actors.task import must_say_why
from tests.checkpoints.engine.diagnosis.failures import Wrong
from tests.checkpoints.engine.http import wire
from tests.checkpoints.engine.scenarios.bounded_queue import (
    OTHERS,
    PLACES,
    WORKERS,
    another_starts,
    begin,
    comes_up_later,
    fill,
    move_on,
    must_not_have_ended,
    must_not_hold_up,
    no_more_than_allowed,
    records,
    submit,
    submit_when_full,
)

#: Enough waiting tasks that they are not in order by chance.
MANY = 7
#: How often all workers fail: enough to use up whatever a failure leaks, such as a place in the queue.
ROUNDS = 4


@pytest.fixture
def app(environment: CheckEnvironment) -> App:
    """The learner's app, with two workers and three places in the queue."""
    return environment.serve(WORKERS=str(WORKERS), QUEUE_SIZE=str(PLACES))


@pytest.mark.points(2)
def test_a_task_is_completed(environment: CheckEnvironment) -> None:
    """Submit responds at once, and a worker completes the task with the agent's answer."""
    # Using the loop's queue from a thread fails once in a thousand times. asyncio's debug mode detects it every time.
    app = environment.serve(WORKERS=str(WORKERS), QUEUE_SIZE=str(PLACES), PYTHONASYNCIODEBUG="1")
    task = submit(app)
    run = app.started(task)
    app.until(task, "running")
    app.completed(task, app.finish(task, run))


@pytest.mark.points(2)
def test_as_many_agents_at_once_as_workers(app: App) -> None:
    """As many agents run at once as there are workers, and requests get responses meanwhile."""
    for task, _ in begin(app):
        app.until(task, "running")


@pytest.mark.points(2)
def test_never_more_agents_than_workers(app: App) -> None:
    """No more agents run at once than there are workers: the other tasks wait."""
    (first, run), (second, other) = begin(app)
    waiting = fill(app)
    app.agent_control.wait_for(
        waiting[-1].prompt, 0.1
    )  # an app that starts an agent for each submit has started this one by then
    no_more_than_allowed(app)
    for task in waiting:
        if app.status(task, note=False)["status"] != "pending":
            app.agent_control.wait_for(task.prompt, app.time_limit)
            no_more_than_allowed(app)
            raise Wrong(
                "RUNNING_TOO_SOON", f"GET /agent/status/{task.task_id} → {task.seen}, but its agent was not called"
            )
    for task, ends, another in ((first, run, other), (second, other, None)):
        before = len(app.agent_control.runs)
        try:
            app.completed(task, app.finish(task, ends))
        except Wrong as wrong:
            if wrong.code == "STUCK_RUNNING" and another and another.working:
                must_not_have_ended(app, second)
            raise
        if not another_starts(app, before):  # another check covers the order
            app.started(waiting[0])
        no_more_than_allowed(app)


def test_first_come_first_served(environment: CheckEnvironment) -> None:
    """Tasks start in the order in which they were submitted."""
    app = environment.serve(WORKERS="1", QUEUE_SIZE=str(MANY))
    [(task, run)] = begin(app, 1)
    # Later prompts are shorter: an app that sorts by anything but the time cannot be right by luck.
    waiting = [submit(app, app.new_prompt() + " in detail" * (MANY - number)) for number in range(MANY)]
    while waiting:
        before = len(app.agent_control.runs)
        app.completed(task, app.finish(task, run))
        another_starts(app, before)
        due = waiting.pop(0)
        if not app.agent_control.of(due.prompt) and (
            early := [task for task in waiting if app.agent_control.of(task.prompt)]
        ):
            seen = f"the agent starts on {early[0].task_id}, but {due.task_id} was submitted before it"
            raise Wrong("OUT_OF_ORDER", seen)
        task, run = due, app.started(due)


@pytest.mark.points(2)
def test_a_full_queue_is_503(app: App) -> None:
    """When the queue is full, submit responds with 503 and a Retry-After header."""
    begin(app)
    fill(app)
    answer = submit_when_full(app, app.new_prompt(), OTHERS)
    must_not_hold_up(app)
    if not wire.says_when(answer):
        later = answer.headers.get("retry-after", "").strip()
        raise Wrong("RETRY_AFTER_MISSING", f"its Retry-After is {later!r}" if later else "it has no Retry-After")


@pytest.mark.points(2)
def test_a_refused_task_leaves_nothing_behind(app: App) -> None:
    """A refused task leaves nothing behind, and the next task gets the place that becomes free."""
    (first, run), _ = begin(app)
    waiting = fill(app)
    kept = records(app)
    refused = app.new_prompt()
    submit_when_full(app, refused)
    if records(app) > kept:
        raise Wrong("REFUSED_BUT_KEPT")
    try:
        run = move_on(app, first, run, waiting[0])
        later = submit(app)  # there is a place again; a refused task that was queued would come first
        for task, due in pairwise([*waiting, later]):
            run = move_on(app, task, run, due)
    except Wrong:
        if not comes_up_later(app, refused):
            raise
    if app.agent_control.of(refused):
        raise Wrong("REFUSED_BUT_KEPT", "the agent was called with the prompt of the refused task")


@pytest.mark.points(2)
def test_a_failure_is_reported(app: App) -> None:
    """When the agent fails, the task fails, and its error contains the agent's message."""
    app.must_control_the_agent()
    for kind, message in {"RuntimeError": "the model refused", "TimeoutError": "the model took too long"}.items():
        task = submit(app)
        app.fail(task, app.started(task), message, kind)
        must_say_why(app.until(task, "failed"), message)


@pytest.mark.points(2)
def test_every_worker_continues_after_a_failure(app: App) -> None:
    """Every worker takes the next task after a failure, however many there were."""
    following = begin(app)
    for _ in range(ROUNDS):
        for task, run in following:
            app.fail(task, run)
            app.until(task, "failed")
        try:
            following = begin(app)
        except Wrong as wrong:
            if wrong.code in {"PENDING_FOREVER", "SERIAL_WORKERS"}:
                raise Wrong("WORKER_DIED", wrong.seen) from None
            if wrong.code == "REFUSED_TOO_SOON":
                wrong.likely = "a task's place is released after the agent returns, but not after it fails."
                wrong.next_step = "release it in a `finally`, or use the `maxsize` of the queue instead of counting."
            raise
    for task, run in following:
        app.completed(task, app.finish(task, run))


def test_the_server_stops(app: App) -> None:
    """When all tasks are done and the server is asked to stop, it stops."""
    app.must_control_the_agent()
    task = submit(app)
    app.fail(task, app.started(task))
    app.until(task, "failed")
    task = submit(app)
    app.completed(task, app.finish(task, app.started(task)))
    app.stop()
