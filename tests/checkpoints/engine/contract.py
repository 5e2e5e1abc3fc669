"""What the checks of the wire contract share."""

from collections.abc import Iterator

from tests.checkpoints.engine.app import App
from tests.checkpoints.engine.asking import NoAnswer, told
from tests.checkpoints.engine.outside import agent_failed, never_running, silent_server
from tests.checkpoints.engine.verdict import Inconclusive, NotReached, Wrong
from tests.checkpoints.engine.wire import task_in
from tests.checkpoints.engine.witness import Look, Watched, Witness

#: An answer that took longer than this is shown with how long it took.
_LONG_SECONDS = 0.5


def note(app: App, look: Look, more: str = "") -> None:
    """Tell what was answered, at the moment when it was asked for."""
    late = f", {took:.1f} s later" if (took := look.at - look.sent) >= _LONG_SECONDS else ""
    app.timeline.note(f"{look.what} → {told(look.answer)}{more}{late}", look.sent)


def submitted(app: App, witness: Witness, body: object, what: str, headers: dict[str, str] | None = None) -> Look:
    """Submit something, whatever the answer; one that is not given is diagnosed."""
    app.timeline.note(f"POST /agent/submit ({what})")
    try:
        look = witness.submit(body, headers)
    except NoAnswer as error:
        app.timeline.amend(f" → {error}")
        raise silent_server(app.url, app.patience, "", error) from None
    app.timeline.amend(f" → {told(look.answer)}")
    app.refuse_5xx(look.answer)
    return look


def each_look(task: Watched) -> Iterator[tuple[str, Look]]:
    """Every answer that told a task, and how it is shown. What else was answered is one check's question."""
    for look in task.known:
        yield f"{look.what} → {told(look.answer)}", look


def shown(look: Look, field: str) -> str:
    """A field as it was told."""
    return repr(task_in(look.answer).get(field, "not there"))[:30]


def must_have_cancel(witness: Witness) -> None:
    """Say so when there is no cancel, which is another check's question."""
    witness.c.over.wait()
    if not any(look.answer.status in {200, 409} for look in witness.c.cancels):
        raise NotReached("nothing could be cancelled")


def ends_well(task: Watched) -> None:
    """It is completed, and was seen running before."""
    words = [look.word for look in task.known]
    if not words:
        raise Wrong("RECORD_TOO_LATE", f"GET {task.path} → 404, to the end")
    end, body = words[-1], task_in(task.known[-1].answer)
    if end == "pending":
        raise Wrong("PENDING_FOREVER")
    if end == "running":
        if len({task_in(look.answer).get("progress") for look in task.known[len(words) // 2 :]}) > 1:
            raise Inconclusive("Its agent is still at work. Give it one that takes a few seconds, and check again.")
        raise Wrong("STUCK_RUNNING", *_STUCK)
    if end != "completed":
        raise agent_failed(body)
    if "running" not in words and len(words) > 1:
        raise never_running(body, task.looks[-1].at - task.looks[0].at)


_STUCK = (
    "",
    "nothing writes the outcome. Or this agent takes longer than was waited for it: a few seconds are right here.",
    "let the agent take a few seconds; then look what comes after it has returned, and whether it is reached.",
)
