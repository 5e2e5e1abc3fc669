"""Checkpoint 1: submit a task, get an id at once, poll, and watch it go from pending to completed."""

import pytest

from tests.checkpoints.engine.actors.agent_control import Run
from tests.checkpoints.engine.actors.app import App
from tests.checkpoints.engine.actors.task import Task
from tests.checkpoints.engine.diagnosis.failures import Wrong
from tests.checkpoints.engine.http import wire
from tests.checkpoints.engine.http.http_client import NoResponse, send_request


@pytest.mark.points(2)
def test_submit_returns_an_id_while_the_agent_works(app: App) -> None:
    """Submit returns an id at once, while the agent is still working."""
    task = app.submit()
    app.started(task)


@pytest.mark.points(2)
def test_a_task_is_running_while_the_agent_works(app: App) -> None:
    """While the agent works, status says running, and other requests get responses."""
    task = app.submit()
    app.started(task)
    app.until(task, "running")


@pytest.mark.points(2)
def test_a_task_is_completed_with_the_agents_answer(app: App) -> None:
    """When the agent is done, status says completed, with the agent's answer as the result."""
    task = app.submit()
    answer = app.finish(task, app.started(task))
    app.completed(task, answer)


def test_a_finished_task_never_changes(app: App) -> None:
    """A completed task never changes, however often it is polled."""
    task = app.submit()
    answer = app.finish(task, app.started(task))
    for _ in range(3):
        app.completed(task, answer)


def test_two_tasks_do_not_mix(app: App) -> None:
    """Two tasks at once get different ids, and each gets its own result."""
    first = app.submit()
    run = app.started(first)
    app.until(first, "running")
    second = app.submit()
    if first.task_id == second.task_id:
        raise Wrong("TASKS_MIXED_UP", "both submits returned the same id")
    answer = app.completed(second, app.finish(second, beside(app, second, first, run)))["result"]
    # The first task was right while it was alone, and the second until its end: a fault now comes from having two.
    try:
        app.until(first, "running")
        expected = app.finish(first, run)
        app.completed(first, expected)
    except Wrong as wrong:
        if wrong.code in OF_TWO:
            raise Wrong("TASKS_MIXED_UP", wrong.seen) from None
        raise
    if app.status(second).get("result") != answer:
        raise Wrong("TASKS_MIXED_UP", "the result of the second task has changed")
    if app.submit_again(second).task_id == second.task_id:
        raise Wrong("TASKS_MIXED_UP", f"it has the same prompt as {second.task_id}, and got the same id", *SAME_PROMPT)


#: The likely cause and the next step if a prompt identifies a task.
SAME_PROMPT = (
    "the id is derived from the prompt, or submit returns an earlier task with the same prompt.",
    "create a new id for each submit, `uuid4().hex`: two clients may send the same prompt.",
)

#: Diagnoses of a single task. If another task ran in between, that task is the cause.
OF_TWO = {
    "FINISHED_TOO_SOON",
    "FORGOTTEN_TOO_SOON",
    "NOT_MARKED_RUNNING",
    "PENDING_FOREVER",
    "RECORD_TOO_LATE",
    "RESULT_MISSING",
    "RESULT_WRONG",
    "SPLIT_STORE",
    "STATUS_WENT_BACK",
    "STUCK_RUNNING",
}


def beside(app: App, second: Task, first: Task, run: Run) -> Run:
    """The agent's run for the second task, which must start while the first is running."""
    try:
        return app.started(second)
    except Wrong as wrong:
        if wrong.code != "PENDING_FOREVER" or app.external:
            raise
        if wrong.seen:
            app.timeline.note(wrong.seen)
        app.finish(first, run)
        app.started(second)
        raise Wrong(
            "SERIAL_WORKERS",
            likely="the tasks run one at a time: there is a lock around the agent, or one thread for all tasks.",
            next_step="add each task separately, `background_tasks.add_task(work, …)`, without a lock.",
        ) from None


#: How many plain functions FastAPI runs at once: the size of anyio's thread pool.
THREADS = 40


def test_a_waiting_task_is_known(app: App) -> None:
    """Each of many tasks gets its own id, and a task that waits for a free thread is known, and pending."""
    app.must_control_the_agent()
    app.timeline.note(f"{THREADS + 1} tasks are submitted, two with each prompt; the agent works on {THREADS} of them")
    ids, answered = many(app)
    must_differ(ids)
    if not answered:
        return  # a handler that is a plain function waits for a thread, too
    task = app.submit()
    must_differ([*ids, task.task_id])
    if app.answers("GET", f"/agent/status/{task.task_id}"):
        app.status(task)
        must_not_run_too_soon(app, task)
        must_know_the_first(app, Task(ids[0], prompt_of(0), {}))


def prompt_of(number: int) -> str:
    """The prompt of one of many tasks: each prompt occurs twice, and all have the same beginning."""
    return f"Compare the offers of these vendors, and say which of them is the best: {number // 2}"


def many(app: App) -> tuple[list[str], bool]:
    """The ids of one task more than there are threads, with each prompt submitted twice, and whether each submit got a
    response."""
    ids: list[str] = []
    for number in range(THREADS + 1):
        try:
            answer = send_request(
                app.url, "POST", "/agent/submit", {"prompt": prompt_of(number)}, within=app.time_limit / 2
            )
        except NoResponse:
            return ids, False
        if isinstance(task_id := wire.task_in(answer).get("task_id"), str):
            ids.append(task_id)
    return ids, True


def must_differ(ids: list[str]) -> None:
    """Check that each submit returned a new id, even for a prompt that was submitted before."""
    different = len(set(ids))
    if different == len(ids):
        return
    if different > 1 and all(ids[number] == ids[number + 1] for number in range(0, len(ids) - 2, 2)):
        raise Wrong(
            "TASKS_MIXED_UP",
            "the same prompt was submitted twice, and both submits returned the same id",
            *SAME_PROMPT,
        )
    raise Wrong(
        "TASKS_MIXED_UP",
        "two of these submits returned the same id",
        likely="the ids repeat: a small random number, the time, or the beginning of the prompt is not unique.",
        next_step="create the id with `uuid4().hex`, which does not repeat.",
    )


def must_not_run_too_soon(app: App, task: Task) -> None:
    """Check that a task is not running before its agent is called. An app with more threads may run it at once."""
    submitted = task.accepted.get("status")
    if "running" in {submitted, task.seen} and not app.agent_control.wait_for(task.prompt, app.time_limit):
        who = (
            "submit writes" if submitted == "running" else "an `async def work`, or the code that adds the task, writes"
        )
        raise Wrong(
            "RUNNING_TOO_SOON",
            "its agent was not called",
            likely=f'{who} "running", but the task is still waiting for a free thread.',
            next_step='write "pending" in submit, and "running" in the first line of `work`. Make `work` a plain `def`,'
            " which FastAPI runs when a thread is free.",
        )


def must_know_the_first(app: App, task: Task) -> None:
    """Check that the first of many tasks is still known after the last was submitted."""
    app.timeline.call(task.task_id, "{the first task}")
    try:
        app.status(task)
    except Wrong as wrong:
        if wrong.code != "RECORD_TOO_LATE":
            raise
        raise Wrong(
            "FORGOTTEN_TOO_SOON",
            "its agent is still running",
            likely="only a limited number of tasks is kept, and the oldest is removed, finished or not.",
            next_step="keep every task: a client is waiting for each unfinished task.",
        ) from None


@pytest.mark.independent
def test_an_unknown_id_is_404(app: App) -> None:
    """An unknown task id gets a 404."""
    app.must_not_know()
    app.must_not_know("7f3a5e0c9b1d4e2f8a6b3c5d7e9f1a2b")  # in the form of a real id
