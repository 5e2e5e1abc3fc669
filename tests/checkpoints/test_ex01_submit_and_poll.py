"""Checkpoint 1: post a job, get an id at once, poll, and watch it go from pending to completed."""

import pytest

from tests.checkpoints.engine.actors.agent_control import Run
from tests.checkpoints.engine.actors.app import App
from tests.checkpoints.engine.actors.task import Task
from tests.checkpoints.engine.diagnosis.failures import Wrong
from tests.checkpoints.engine.http import wire
from tests.checkpoints.engine.http.http_client import NoAnswer, send_request


@pytest.mark.points(2)
def test_submit_gives_an_id_while_the_agent_still_works(app: App) -> None:
    """Submit gives an id at once, while the agent still works."""
    task = app.submit()
    app.started(task)


@pytest.mark.points(2)
def test_a_task_is_running_while_the_agent_works(app: App) -> None:
    """While the agent works, status says running, and other requests are answered."""
    task = app.submit()
    app.started(task)
    app.until(task, "running")


@pytest.mark.points(2)
def test_a_task_is_completed_with_the_agents_answer(app: App) -> None:
    """When the agent is done, status says completed, with its answer as the result."""
    task = app.submit()
    answer = app.finish(task, app.started(task))
    app.completed(task, answer)


def test_an_outcome_stays(app: App) -> None:
    """A completed task stays as it is, however often it is asked for."""
    task = app.submit()
    answer = app.finish(task, app.started(task))
    for _ in range(3):
        app.completed(task, answer)


def test_two_tasks_do_not_mix(app: App) -> None:
    """Two tasks at once have two ids, and each gets its own answer."""
    first = app.submit()
    run = app.started(first)
    app.until(first, "running")
    second = app.submit()
    if first.task_id == second.task_id:
        raise Wrong("TASKS_MIXED_UP", "both submits were answered with the same id")
    answer = app.completed(second, app.finish(second, beside(app, second, first, run)))["result"]
    # Alone the first task was told as it should, and the second one to its end: what is amiss now comes of the two.
    try:
        app.until(first, "running")
        expected = app.finish(first, run)
        app.completed(first, expected)
    except Wrong as wrong:
        if wrong.code in OF_TWO:
            raise Wrong("TASKS_MIXED_UP", wrong.seen) from None
        raise
    if app.status(second).get("result") != answer:
        raise Wrong("TASKS_MIXED_UP", "the second task has another result than before")
    if app.submit_again(second).task_id == second.task_id:
        raise Wrong("TASKS_MIXED_UP", f"its prompt is that of {second.task_id}, and so is the id in the answer", *ASKED)


#: What is likely, and comes next, where a prompt is taken for the name of a task.
ASKED = (
    "the id is made from the prompt, or the task that has this prompt already is given back.",
    "make a new id for each submit, `uuid4().hex`: two people may ask the same.",
)

#: What is said of a task that is alone. Where another one has been done meanwhile, it has got in the way.
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
    """The agent's run for the second task, which begins while the first one is at work."""
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
            likely="something makes the tasks take turns: a lock around the agent, or one thread for all of them.",
            next_step="hand each task over by itself, `background_tasks.add_task(work, …)`, without a lock.",
        ) from None


#: So many plain functions FastAPI runs at once: the size of anyio's pool of threads.
THREADS = 40


def test_a_task_that_waits_for_its_turn_is_known(app: App) -> None:
    """Each of many tasks has its own id; one that waits until others are done is known, and pending."""
    app.must_control_the_agent()
    app.timeline.note(f"{THREADS + 1} tasks are submitted, two with each prompt; the agent works on {THREADS} of them")
    ids, answered = many(app)
    must_differ(ids)
    if not answered:
        return  # a handler that is a plain function waits for a thread itself
    task = app.submit()
    must_differ([*ids, task.task_id])
    if app.answers("GET", f"/agent/status/{task.task_id}"):
        app.status(task)
        must_be_told_as_it_is(app, task)
        must_know_the_first(app, Task(ids[0], prompt_of(0), {}))


def prompt_of(number: int) -> str:
    """The prompt of one of many tasks: two have the same, and all begin alike."""
    return f"Compare the offers of these vendors, and say which of them is the best: {number // 2}"


def many(app: App) -> tuple[list[str], bool]:
    """The ids of one task more than there are threads, each prompt submitted twice; and whether each submit was
    answered."""
    ids: list[str] = []
    for number in range(THREADS + 1):
        try:
            answer = send_request(
                app.url, "POST", "/agent/submit", {"prompt": prompt_of(number)}, within=app.time_limit / 2
            )
        except NoAnswer:
            return ids, False
        if isinstance(task_id := wire.task_in(answer).get("task_id"), str):
            ids.append(task_id)
    return ids, True


def must_differ(ids: list[str]) -> None:
    """See that each submit was answered with an id of its own, also when a prompt has come before."""
    different = len(set(ids))
    if different == len(ids):
        return
    if different > 1 and all(ids[number] == ids[number + 1] for number in range(0, len(ids) - 2, 2)):
        raise Wrong(
            "TASKS_MIXED_UP",
            "the same prompt was submitted twice, and both submits were answered with the same id",
            *ASKED,
        )
    raise Wrong(
        "TASKS_MIXED_UP",
        "two of these submits were answered with the same id",
        likely="there are too few ids: a small random number, the time, the first letters of the prompt come up again.",
        next_step="make the id with `uuid4().hex`, which does not come up twice.",
    )


def must_be_told_as_it_is(app: App, task: Task) -> None:
    """See that nobody says that a task runs when the agent has not begun. Who has more threads may say it."""
    submitted = task.accepted.get("status")
    if "running" in {submitted, task.seen} and not app.agent_control.wait_for(task.prompt, app.time_limit):
        who = (
            "submit writes" if submitted == "running" else "an `async def work`, or whoever hands the task over, writes"
        )
        raise Wrong(
            "RUNNING_TOO_SOON",
            "the agent was not called for it",
            likely=f'{who} "running". The task has yet to wait until a thread is free for it.',
            next_step='write "pending" in submit, and "running" at the beginning of `work`, a plain `def` that FastAPI '
            "runs in a thread: it begins when one is free.",
        )


def must_know_the_first(app: App, task: Task) -> None:
    """See that the first of many tasks is still known when the last one has been submitted."""
    app.timeline.call(task.task_id, "{the first of them}")
    try:
        app.status(task)
    except Wrong as wrong:
        if wrong.code != "RECORD_TOO_LATE":
            raise
        raise Wrong(
            "FORGOTTEN_TOO_SOON",
            "its agent is still at work",
            likely="only so many tasks are kept, and the oldest goes, whatever has become of it.",
            next_step="keep every task: a task that is not finished is one for which somebody waits.",
        ) from None


@pytest.mark.independent
def test_an_id_that_was_never_given_out_is_404(app: App) -> None:
    """An id that was never given out is answered with 404."""
    app.must_not_know()
    app.must_not_know("7f3a5e0c9b1d4e2f8a6b3c5d7e9f1a2b")  # which looks like those that are given out
