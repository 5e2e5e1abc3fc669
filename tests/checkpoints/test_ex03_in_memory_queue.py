"""Checkpoint 3: a few workers over a bounded queue, and a polite no when it is full."""

import time
from itertools import pairwise
from statistics import median

import pytest

from tests.checkpoints.engine import wire
from tests.checkpoints.engine.app import FINISHED, App, Task, must_say_why
from tests.checkpoints.engine.asking import Answer, NoAnswer, ask, ask_beside, told
from tests.checkpoints.engine.broken import meaning
from tests.checkpoints.engine.desk import Run
from tests.checkpoints.engine.stage import Stage
from tests.checkpoints.engine.verdict import Wrong

WORKERS = 2
PLACES = 3
#: So many tasks wait that chance does not put them in order.
MANY = 7
#: So many times all workers fail: what a failure costs is used up by then, be it a place or a worker's patience.
ROUNDS = 4


@pytest.fixture
def app(stage: Stage) -> App:
    """The learner's app, with two workers and three places to wait."""
    return stage.serve(WORKERS=str(WORKERS), QUEUE_SIZE=str(PLACES))


def submit(app: App, prompt: str | None = None) -> Task:
    """Submit a task for which there is room."""
    try:
        return app.submit(prompt)
    except Wrong as wrong:
        if wrong.code == "WRONG_STATUS_CODE" and "503" in wrong.seen:
            raise Wrong("REFUSED_TOO_SOON") from None
        if wrong.code == "SERVER_ERROR" and app.process and "Non-thread-safe operation" in app.process.printed:
            raise Wrong("NOT_THREAD_SAFE") from None
        raise


def begin(app: App, count: int = WORKERS) -> list[tuple[Task, Run]]:
    """Submit as many tasks as there are workers, and see the agent at work on all of them."""
    app.must_hold_the_agent()
    accepted = [submit(app) for _ in range(count)]
    begun: list[tuple[Task, Run]] = []
    for task in accepted:
        try:
            begun.append((task, app.started(task)))
        except Wrong as wrong:
            raise Wrong(
                "SERIAL_WORKERS" if begun and wrong.code == "PENDING_FOREVER" else wrong.code, wrong.seen
            ) from None
    return begun


def fill(app: App) -> list[Task]:
    """Submit as many tasks as may wait."""
    return [submit(app) for _ in range(PLACES)]


def no_more_than_allowed(app: App) -> None:
    """See that not more agents are at work than there are workers."""
    if len(app.desk.at_work) > WORKERS:
        raise Wrong("TOO_MANY_AT_ONCE", f"more than {WORKERS} agents are at work at once, and WORKERS is {WORKERS}")


def must_not_have_ended(app: App, task: Task) -> None:
    """See that a task whose agent works has not got the outcome of another one."""
    body = app.status(task)
    if body["status"] in FINISHED:
        raise Wrong("TASKS_MIXED_UP", "the agent still works on this one: the outcome is that of the other task")


def move_on(app: App, task: Task, run: Run, due: Task) -> Run:
    """Let the agent finish one task, and give its run for the task whose turn it is then."""
    app.completed(task, app.finish(task, run))
    return app.started(due)


def another_begins(app: App, begun: int) -> bool:
    """Whether the agent is called once more than `begun` times, waiting for it if need be."""
    deadline = time.monotonic() + app.patience
    while len(app.desk.runs) <= begun and time.monotonic() < deadline:
        time.sleep(0.005)
    return len(app.desk.runs) > begun


def comes_up_later(app: App, prompt: str) -> bool:
    """Whether the agent is called with a prompt once every task before it is done."""
    while not app.desk.of(prompt):
        begun = len(app.desk.runs)
        for run in app.desk.at_work:
            run.finish()
        if not another_begins(app, begun):
            return False
    return True


#: A 503 that comes at once has come when so many requests that were sent after the submit have been answered.
OTHERS = 10
#: A submit that is refused sooner holds nobody up.
NOTICED_SECONDS = 0.1


def submit_when_full(app: App, prompt: str, others: int = 0) -> Answer:
    """The answer to a submit for which there is no room, whatever it is. Other requests must not be answered before."""
    app.timeline.note("POST /agent/submit (one too many)")

    def meanwhile() -> None:
        for _ in range(others):
            ask(app.url, "GET", "/health", within=app.patience)

    try:
        answer, at_once = ask_beside(app.url, "/agent/submit", {"prompt": prompt}, meanwhile, within=app.patience)
    except NoAnswer as error:
        app.timeline.amend(f" → {error}")
        app.ask("GET", "/agent/status/never-given-out")  # when the whole server is silent, that is another story
        raise Wrong("SUBMIT_WAITS") from None
    app.timeline.amend(f" → {told(answer)}")
    if answer.status == 503 and others and not at_once:
        raise Wrong("SUBMIT_WAITS", f"{others} requests that were sent after it had been answered before it")
    if answer.status == 202:
        raise Wrong("UNBOUNDED_QUEUE", f"{WORKERS} tasks run and {PLACES} wait, and one more was accepted")
    if answer.status == 501:
        app.refuse_5xx(answer)
    if answer.status != 503:
        broke = app.what_broke() if answer.status >= 500 else ""
        raise Wrong("QUEUE_FULL_NOT_503", f"it printed {broke}" if broke else "", *meaning(broke))
    return answer


def must_not_hold_up(app: App) -> None:
    """See that a refused submit takes no longer than another request. One that blocks the event loop is answered before
    all others, whenever that may be."""
    refused, asked = [], []
    for _ in range(5):
        began = time.monotonic()
        ask(app.url, "POST", "/agent/submit", {"prompt": app.new_prompt()}, within=app.patience)
        between = time.monotonic()
        ask(app.url, "GET", "/health", within=app.patience)
        refused.append(between - began)
        asked.append(time.monotonic() - between)
    if min(refused) > NOTICED_SECONDS and min(refused) > 20 * median(asked):
        raise Wrong(
            "SUBMIT_WAITS",
            f"{len(refused)} submits in a row were refused after {min(refused):.1f} s each, GET /health took no time",
            likely="the handler waits with `time.sleep` before it refuses, and nobody else is served meanwhile.",
            next_step="refuse at once: `queue.put_nowait` raises QueueFull, and Retry-After tells the client to wait.",
        )


def records(app: App) -> int:
    """How many records the app says that it keeps."""
    answer = app.ask("GET", "/health", note=False)
    kept = answer.json.get("tasks") if isinstance(answer.json, dict) else None
    if not isinstance(kept, int):
        likely = "the health route is not the stub's any more."
        raise Wrong("NOT_JSON", f"GET /health → {answer.status} {answer.text}", likely, 'give back its "tasks".')
    app.timeline.note(f"GET /health → {answer.status}, tasks: {kept}")
    return kept


@pytest.mark.points(2)
def test_a_task_is_completed(stage: Stage) -> None:
    """Submit is answered at once; a worker takes the task, and it is completed with the agent's answer."""
    # A thread that uses the loop's queue goes wrong once in a thousand times. This mode of asyncio sees it each time.
    app = stage.serve(WORKERS=str(WORKERS), QUEUE_SIZE=str(PLACES), PYTHONASYNCIODEBUG="1")
    task = submit(app)
    run = app.started(task)
    app.until(task, "running")
    app.completed(task, app.finish(task, run))


@pytest.mark.points(2)
def test_as_many_agents_at_once_as_workers(app: App) -> None:
    """As many agents work at once as there are workers, and requests are answered meanwhile."""
    for task, _ in begin(app):
        app.until(task, "running")


@pytest.mark.points(2)
def test_never_more_agents_than_workers(app: App) -> None:
    """Never do more agents work at once than there are workers: the other tasks wait."""
    (first, run), (second, other) = begin(app)
    waiting = fill(app)
    app.desk.wait_for(waiting[-1].prompt, 0.1)  # whoever starts an agent for each submit has started this one by then
    no_more_than_allowed(app)
    for task in waiting:
        if app.status(task, note=False)["status"] != "pending":
            app.desk.wait_for(task.prompt, app.patience)
            no_more_than_allowed(app)
            raise Wrong(
                "RUNNING_TOO_SOON", f"GET /agent/status/{task.task_id} → {task.seen}, and its agent was not called"
            )
    for task, ends, another in ((first, run, other), (second, other, None)):
        begun = len(app.desk.runs)
        try:
            app.completed(task, app.finish(task, ends))
        except Wrong as wrong:
            if wrong.code == "STUCK_RUNNING" and another and another.working:
                must_not_have_ended(app, second)
            raise
        if not another_begins(app, begun):  # which one is another check's question
            app.started(waiting[0])
        no_more_than_allowed(app)


def test_first_come_first_served(stage: Stage) -> None:
    """Tasks begin in the order in which they were submitted."""
    app = stage.serve(WORKERS="1", QUEUE_SIZE=str(MANY))
    [(task, run)] = begin(app, 1)
    # The later, the shorter: whoever sorts them by anything else than their time is not lucky.
    waiting = [submit(app, app.new_prompt() + " in detail" * (MANY - number)) for number in range(MANY)]
    while waiting:
        begun = len(app.desk.runs)
        app.completed(task, app.finish(task, run))
        another_begins(app, begun)
        due = waiting.pop(0)
        if not app.desk.of(due.prompt) and (early := [task for task in waiting if app.desk.of(task.prompt)]):
            seen = f"the agent starts on {early[0].task_id}, and {due.task_id} had been submitted before it"
            raise Wrong("OUT_OF_ORDER", seen)
        task, run = due, app.started(due)


@pytest.mark.points(2)
def test_a_full_queue_is_503(app: App) -> None:
    """When the queue is full, submit is answered with 503 and says when to come back."""
    begin(app)
    fill(app)
    answer = submit_when_full(app, app.new_prompt(), OTHERS)
    must_not_hold_up(app)
    if not wire.says_when(answer):
        later = answer.headers.get("retry-after", "").strip()
        raise Wrong("RETRY_AFTER_MISSING", f"its Retry-After is {later!r}" if later else "it has no Retry-After")


@pytest.mark.points(2)
def test_a_refused_task_leaves_nothing_behind(app: App) -> None:
    """A refused task leaves nothing behind, and a place that gets free is given to the next."""
    (first, run), _ = begin(app)
    waiting = fill(app)
    kept = records(app)
    refused = app.new_prompt()
    submit_when_full(app, refused)
    if records(app) > kept:
        raise Wrong("REFUSED_BUT_KEPT")
    try:
        run = move_on(app, first, run, waiting[0])
        later = submit(app)  # there is a place again; it comes after the refused one, which must not be there
        for task, due in pairwise([*waiting, later]):
            run = move_on(app, task, run, due)
    except Wrong:
        if not comes_up_later(app, refused):
            raise
    if app.desk.of(refused):
        raise Wrong("REFUSED_BUT_KEPT", "the agent was called with the prompt of the refused task")


@pytest.mark.points(2)
def test_a_failure_is_told(app: App) -> None:
    """When the agent fails, the task is failed, and its error says what the agent said."""
    app.must_hold_the_agent()
    for kind, message in {"RuntimeError": "the model refused", "TimeoutError": "the model took too long"}.items():
        task = submit(app)
        app.fail(task, app.started(task), message, kind)
        must_say_why(app.until(task, "failed"), message)


@pytest.mark.points(2)
def test_every_worker_goes_on_after_a_failure(app: App) -> None:
    """Every worker goes on after a failure, however many there were, and takes the next task."""
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
                wrong.likely = "a task's place is given back where the agent has returned, and not where it failed."
                wrong.next_step = "give it back in a `finally`, or let the queue count, which has a `maxsize`."
            raise
    for task, run in following:
        app.completed(task, app.finish(task, run))


def test_the_server_stops(app: App) -> None:
    """When nothing is left to do and the server is told to stop, it stops."""
    app.must_hold_the_agent()
    task = submit(app)
    app.fail(task, app.started(task))
    app.until(task, "failed")
    task = submit(app)
    app.completed(task, app.finish(task, app.started(task)))
    app.stop()
