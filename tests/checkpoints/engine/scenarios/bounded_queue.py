"""An app with a few workers and a few places in its queue: filled, overfilled by one task, and emptied."""

import time
from statistics import median

from tests.checkpoints.engine.actors.agent_control import Run
from tests.checkpoints.engine.actors.app import App
from tests.checkpoints.engine.actors.task import FINISHED, Task
from tests.checkpoints.engine.diagnosis.failures import Wrong
from tests.checkpoints.engine.diagnosis.framework_errors import meaning
from tests.checkpoints.engine.http.http_client import NoResponse, Response, post_during, send_request, summarize

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
    """Submit as many tasks as there are workers, and wait until the agent is working on all of them."""
    app.must_control_the_agent()
    accepted = [submit(app) for _ in range(count)]
    running: list[tuple[Task, Run]] = []
    for task in accepted:
        try:
            running.append((task, app.started(task)))
        except Wrong as wrong:
            raise Wrong(
                "SERIAL_WORKERS" if running and wrong.code == "PENDING_FOREVER" else wrong.code, wrong.seen
            ) from None
    return running


def fill(app: App) -> list[Task]:
    """Submit as many tasks as the queue holds."""
    return [submit(app) for _ in range(PLACES)]


def no_more_than_allowed(app: App) -> None:
    """Check that no more agents are running than there are workers."""
    if len(app.agent_control.at_work) > WORKERS:
        raise Wrong("TOO_MANY_AT_ONCE", f"more than {WORKERS} agents run at once, but WORKERS is {WORKERS}")


def must_not_have_ended(app: App, task: Task) -> None:
    """Check that a task whose agent is running does not have the outcome of another task."""
    body = app.status(task)
    if body["status"] in FINISHED:
        raise Wrong("TASKS_MIXED_UP", "its agent is still running: this is the outcome of the other task")


def move_on(app: App, task: Task, run: Run, due: Task) -> Run:
    """Let the agent finish a task. Returns the run for the task that is `due` next."""
    app.completed(task, app.finish(task, run))
    return app.started(due)


def another_starts(app: App, before: int) -> bool:
    """Wait for a new call of the agent after the `before` earlier ones; whether it has come in time."""
    deadline = time.monotonic() + app.time_limit
    while len(app.agent_control.runs) <= before and time.monotonic() < deadline:
        time.sleep(0.005)
    return len(app.agent_control.runs) > before


def comes_up_later(app: App, prompt: str) -> bool:
    """Whether the agent is called with a prompt once all earlier tasks are done."""
    while not app.agent_control.of(prompt):
        before = len(app.agent_control.runs)
        for run in app.agent_control.at_work:
            run.finish()
        if not another_starts(app, before):
            return False
    return True


#: An immediate 503 arrives before the responses to this many requests that were sent after the submit.
OTHERS = 10


#: A submit that is refused faster than this delays no other request.
NOTICED_SECONDS = 0.1


def submit_when_full(app: App, prompt: str, others: int = 0) -> Response:
    """The response to a submit when the queue is full. Diagnoses anything but a 503 that arrives before `others`."""
    app.timeline.note("POST /agent/submit (the queue is full)")

    def meanwhile() -> None:
        for _ in range(others):
            send_request(app.url, "GET", "/health", within=app.time_limit)

    try:
        answer, at_once = post_during(app.url, "/agent/submit", {"prompt": prompt}, meanwhile, within=app.time_limit)
    except NoResponse as error:
        app.timeline.amend(f" → {error}")
        app.request("GET", "/agent/status/never-given-out")  # diagnoses a server that responds to no request at all
        raise Wrong("SUBMIT_WAITS") from None
    app.timeline.amend(f" → {summarize(answer)}")
    if answer.status == 503 and others and not at_once:
        raise Wrong("SUBMIT_WAITS", f"{others} later requests got their responses before it")
    if answer.status == 202:
        raise Wrong("UNBOUNDED_QUEUE", f"{WORKERS} tasks are running and {PLACES} waiting, but another was accepted")
    if answer.status == 501:
        app.refuse_5xx(answer)
    if answer.status != 503:
        broke = app.what_broke() if answer.status >= 500 else ""
        raise Wrong("QUEUE_FULL_NOT_503", f"the server printed {broke}" if broke else "", *meaning(broke))
    return answer


def must_not_hold_up(app: App) -> None:
    """Check that a refused submit takes no longer than another request. A submit that blocks the event loop gets its
    response before all other requests, however late that is."""
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
            f"{len(refused)} submits in a row were refused after {min(refused):.1f} s each; GET /health took no time",
            likely="the handler waits with `time.sleep` before it refuses, and blocks all other requests.",
            next_step="refuse at once: `queue.put_nowait` raises QueueFull. Retry-After asks the client to wait.",
        )


def records(app: App) -> int:
    """The number of records that the app reports."""
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
    app.timeline.note(f"GET /health → {answer.status}, tasks: {kept}")
    return kept
