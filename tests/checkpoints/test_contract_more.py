"""The whole wire contract, from outside: what is optional, and what cannot be seen from outside."""

import os
from collections.abc import Iterator

import pytest

from tests.checkpoints.engine.actors.app import App
from tests.checkpoints.engine.actors.environment import CheckEnvironment
from tests.checkpoints.engine.actors.external import ITS_OWN_AGENT
from tests.checkpoints.engine.actors.observed_task import ObservedTask
from tests.checkpoints.engine.actors.observer import Observer
from tests.checkpoints.engine.diagnosis.failures import NotFromOutside, NotReached, Wrong
from tests.checkpoints.engine.http import wire
from tests.checkpoints.engine.http.scripted_server import Request
from tests.checkpoints.engine.scenarios.contract import note
from tests.checkpoints.engine.webhooks.signing import signature

#: All checks look at the same tasks, so none is skipped because of another check's failure.
pytestmark = pytest.mark.independent

HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


def callbacks(app: App, observer: Observer, *, diagnosed: bool = False) -> Iterator[tuple[ObservedTask, Request]]:
    """The first callback for each of the two tasks. Diagnoses a missing one unless another check has."""
    observer.must_have_tasks()
    if not observer.calls_back:
        raise NotFromOutside("this server sends no callbacks")
    for task in observer.completed():

        def about(request: Request, task: ObservedTask = task) -> bool:
            return isinstance(request.json, dict) and request.json.get("task_id") == task.task_id

        if not observer.receiver.wait_for(1, 0 if diagnosed else app.time_limit, about):
            if diagnosed:
                raise NotReached("no callback has arrived")
            note(app, task.polls[-1])
            others = len(observer.receiver.requests)
            app.timeline.note(f"POST /hooks/agent (the outcome of {task.task_id}) does not arrive")
            raise Wrong("CALLBACK_WRONG" if others else "CALLBACK_NOT_SENT", f"{others} other callbacks have arrived")
        yield task, observer.receiver.matching(about)[0]


@pytest.mark.points(2)
def test_the_outcome_is_posted(app: App, observer: Observer) -> None:
    """The outcome of a task is POSTed to its callback_url, the same as in status."""
    for task, request in callbacks(app, observer):
        outcome = wire.task_in(task.polls[-1].answer)
        for name in ("status", "result", "error"):
            if request.json.get(name) != outcome.get(name):
                seen = f"POST /hooks/agent ({task.task_id}): {name} is {request.json.get(name)!r}"
                raise Wrong("CALLBACK_WRONG", f"{seen}, but status returns {outcome.get(name)!r}")


def test_the_callback_has_its_headers(app: App, observer: Observer) -> None:
    """The callback has the three headers of Standard Webhooks."""
    for task, request in callbacks(app, observer, diagnosed=True):
        if missing := [name for name in HEADERS if not request.headers.get(name)]:
            raise Wrong("CALLBACK_UNSIGNED", f"POST /hooks/agent ({task.task_id}), without {', '.join(missing)}")


@pytest.mark.points(2)
def test_the_callback_is_signed(app: App, observer: Observer) -> None:
    """The callback is signed with the server's secret."""
    for task, request in callbacks(app, observer, diagnosed=True):
        if not all(map(request.headers.get, HEADERS)):
            raise NotReached("the callback lacks a header")
        delivery, timestamp, signatures = (request.headers.get(name, "") for name in HEADERS)
        try:
            genuine = signature(os.environ["KIT_WEBHOOK_SECRET"], delivery, timestamp, request.body)
        except (KeyError, ValueError):
            raise NotFromOutside(
                "set KIT_WEBHOOK_SECRET to the server's secret, whsec_…; `kit serve webhook` prints it"
            ) from None
        if genuine not in signatures.split():
            raise Wrong("SIGNATURE_WRONG", f"POST /hooks/agent ({task.task_id}), webhook-signature: {signatures}")


def test_a_failure_is_reported(app: App, observer: Observer) -> None:
    """When the agent fails, the task fails with the code agent_error and a message."""
    observer.must_have_tasks()
    observer.wait_for(observer.f)
    end = observer.f.last
    if end is None or end.word != "failed":
        raise NotFromOutside(
            "this check needs a failed task, but the prompt “fail: please” did not make the agent fail"
        )
    note(app, end)
    task = wire.task_in(end.answer)
    error = task.get("error")
    code, message = (error.get("code"), error.get("message")) if isinstance(error, dict) else (None, None)
    if code != "agent_error" or not isinstance(message, str) or not message.strip() or "Traceback" in message:
        raise Wrong("FAILURE_NOT_TOLD", f"its error is {error!r}")
    if task.get("result") is not None:
        raise Wrong("FAILURE_NOT_TOLD", f"its result is {task['result']!r}, but it failed")


def test_a_task_that_hangs_times_out(observer: Observer, environment: CheckEnvironment) -> None:
    """A task that exceeds its timeout fails with the code timeout."""
    observer.must_have_tasks()
    raise NotFromOutside(ITS_OWN_AGENT)


def test_a_full_queue_is_503(observer: Observer, environment: CheckEnvironment) -> None:
    """When the queue is full, submit responds with 503 and Retry-After."""
    observer.must_have_tasks()
    raise NotFromOutside("this check fills the queue, but the size of this server's queue is unknown")


def test_a_finished_record_is_removed(observer: Observer, environment: CheckEnvironment) -> None:
    """A finished task is removed when its time to live is over."""
    observer.must_have_tasks()
    raise NotFromOutside("this check would have to wait for the time to live, by default a day")
