"""An app with a few workers and a few places to wait: filled, asked for one place too many, and emptied."""

import time
from statistics import median

from tests.checkpoints.engine.actors.agent_control import Run
from tests.checkpoints.engine.actors.app import App
from tests.checkpoints.engine.actors.task import FINISHED, Task
from tests.checkpoints.engine.diagnosis.failures import Wrong
from tests.checkpoints.engine.diagnosis.framework_errors import meaning
from tests.checkpoints.engine.http.http_client import Answer, NoAnswer, post_during, send_request, summarize

WORKERS = 2


PLACES = 3


def submit(app: App, prompt: str | None = None) -> Task:
    """Submit a task for which there is room."""
    try:
        return app.submit(prompt)
    except Wrong as wrong:
        if wrong.code == "WRONG_STATUS_CODE" and "503" in wrong.seen:
            raise Wrong("REFUSED_TOO_SOON") from None
        if wrong.code == "SERVER_ERROR" and app.process and "Non-thread-safe operation" in app.process.output:
            raise Wrong("NOT_THREAD_SAFE") from None
        raise


def begin(app: App, count: int = WORKERS) -> list[tuple[Task, Run]]:
    """Submit as many tasks as there are workers, and see the agent at work on all of them."""
    app.must_control_the_agent()
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
    if len(app.agent_control.at_work) > WORKERS:
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
    deadline = time.monotonic() + app.time_limit
    while len(app.agent_control.runs) <= begun and time.monotonic() < deadline:
        time.sleep(0.005)
    return len(app.agent_control.runs) > begun


def comes_up_later(app: App, prompt: str) -> bool:
    """Whether the agent is called with a prompt once every task before it is done."""
    while not app.agent_control.of(prompt):
        begun = len(app.agent_control.runs)
        for run in app.agent_control.at_work:
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
            send_request(app.url, "GET", "/health", within=app.time_limit)

    try:
        answer, at_once = post_during(app.url, "/agent/submit", {"prompt": prompt}, meanwhile, within=app.time_limit)
    except NoAnswer as error:
        app.timeline.amend(f" → {error}")
        app.request("GET", "/agent/status/never-given-out")  # when the whole server is silent, that is another story
        raise Wrong("SUBMIT_WAITS") from None
    app.timeline.amend(f" → {summarize(answer)}")
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
        send_request(app.url, "POST", "/agent/submit", {"prompt": app.new_prompt()}, within=app.time_limit)
        between = time.monotonic()
        send_request(app.url, "GET", "/health", within=app.time_limit)
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
    answer = app.request("GET", "/health", note=False)
    kept = answer.json.get("tasks") if isinstance(answer.json, dict) else None
    if not isinstance(kept, int):
        likely = "the health route is not the stub's any more."
        raise Wrong("NOT_JSON", f"GET /health → {answer.status} {answer.text}", likely, 'give back its "tasks".')
    app.timeline.note(f"GET /health → {answer.status}, tasks: {kept}")
    return kept
