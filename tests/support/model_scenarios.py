"""Scenarios of tasks whose agents call a model: they share a client, are cancelled, or time out."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4

from patterns import CELERY_QUEUE
from patterns.contract.descriptor import Pattern
from tests.support.model_server import Calls
from tests.support.serving import Json, Served, Servers

ASYNC_AGENT, SYNC_AGENT = "tests.support.model_agents:agent", "tests.support.model_agents:sync_agent"
#: What async agents do after a cancel. An agent that blocks the event loop would block a web process: workers only.
EVERYWHERE = ("hangs", "cleans_up_for_long", "ignores_cancellation", "works_then_hangs")
IN_A_PROCESS = (*EVERYWHERE, "blocks_the_loop")
#: What sync agents do after a cancel.
SYNC = ("hangs", "ignores_what_is_raised")

_TIMEOUT_SECONDS = 2.0
_ONE_SLOT = {"KIT_WORKERS": "1", "KIT_GRACE_SECONDS": "0"}


def celery_with(pool: str) -> Pattern:
    """The pattern celery_queue with another pool in its worker."""
    (worker,) = CELERY_QUEUE.processes
    return replace(CELERY_QUEUE, processes=(replace(worker, arguments=(*worker.arguments, "-P", pool)),))


@dataclass(frozen=True)
class Thirty:
    """The status of twenty tasks in sequence, and of ten at once."""

    one_by_one: list[str]
    at_once: list[str]


def thirty_tasks(served: Served) -> Thirty:
    """Run twenty tasks in sequence, then ten at once."""
    one_by_one = [served.outcome(served.accept("answers:"))["status"] for _ in range(20)]
    task_ids = [served.accept("answers:") for _ in range(10)]
    return Thirty(one_by_one, [served.outcome(task_id)["status"] for task_id in task_ids])


@dataclass(frozen=True)
class Ended:
    """A task that was stopped while its agent waited for the model, and the next task, which waited for its slot."""

    task: Json
    next: Json
    calls: int
    closed_seconds: float  # from the cancel, or from the timeout

    @property
    def next_started_seconds(self) -> float:
        """From the end of the task to the start of the next task."""
        return (_moment(self.next["started_at"]) - _moment(self.task["finished_at"])).total_seconds()


def cancelled(
    servers: Servers, model: Calls, pattern: Pattern, agent: str, behaviours: Sequence[str]
) -> dict[str, Ended]:
    """Cancel a task of each behaviour, in sequence."""
    served = servers.serve(pattern, {**_ONE_SLOT, "KIT_AGENT": agent, "MODEL_URL": model.url})
    ended = {behaviour: _cancelled(served, model, behaviour) for behaviour in behaviours}
    served.check_alive()
    return ended


def timed_out(
    servers: Servers, model: Calls, pattern: Pattern, agent: str, behaviours: Sequence[str]
) -> dict[str, Ended]:
    """Let a task of each behaviour time out, in sequence."""
    timeout = {"KIT_TASK_TIMEOUT_SECONDS": f"{_TIMEOUT_SECONDS:g}"}
    served = servers.serve(pattern, {**_ONE_SLOT, **timeout, "KIT_AGENT": agent, "MODEL_URL": model.url})
    ended = {behaviour: _timed_out(served, model, behaviour) for behaviour in behaviours}
    served.check_alive()
    return ended


def measured(ended: Mapping[str, Ended]) -> str:
    """The measured durations as text, one line for each behaviour."""
    return "\n".join(
        f"{behaviour}: closed after {task.closed_seconds:.2f} s, next task after {task.next_started_seconds:.2f} s"
        for behaviour, task in ended.items()
    )


def check(ended: Mapping[str, Ended], status: str, code: str | None) -> None:
    """Assert that each task finished with `status` and `code` after one run, and that the next task completed."""
    for behaviour, task in ended.items():
        assert task.task["status"] == status, behaviour
        assert (task.task["error"] or {}).get("code") == code, behaviour
        assert task.calls == 1, behaviour  # also if its process was replaced and its message redelivered
        assert task.next["status"] == "completed", behaviour


def _cancelled(served: Served, model: Calls, behaviour: str) -> Ended:
    call = uuid4().hex
    task_id = served.accept(f"{behaviour}:{call}")
    model.until_open(call)
    waiting = served.accept("answers:")
    began = time.monotonic()
    assert served.cancel(task_id).status_code == 200
    closed = model.until_closed(call) - began
    return Ended(served.task(task_id), served.outcome(waiting), model.count[call], closed)


def _timed_out(served: Served, model: Calls, behaviour: str) -> Ended:
    call = uuid4().hex
    task_id = served.accept(f"{behaviour}:{call}")
    waiting = served.accept("answers:")
    started = _moment(served.until(task_id, "running")["started_at"]).timestamp()
    due = time.monotonic() + started + _TIMEOUT_SECONDS - time.time()
    closed = model.until_closed(call) - due
    return Ended(served.outcome(task_id), served.outcome(waiting), model.count[call], closed)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
