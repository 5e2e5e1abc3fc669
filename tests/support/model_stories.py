"""What happens to tasks whose agent calls a model: they share a client, are cancelled, or time out."""

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
#: What async agents do with a cancel. One that blocks the loop holds up a web process, so that is for workers only.
EVERYWHERE = ("hangs", "cleans_up_for_long", "ignores_cancellation", "works_then_hangs")
IN_A_PROCESS = (*EVERYWHERE, "blocks_the_loop")
#: What sync agents do with it.
SYNC = ("hangs", "ignores_what_is_raised")

_TIMEOUT_SECONDS = 2.0
_ONE_SLOT = {"KIT_WORKERS": "1", "KIT_GRACE_SECONDS": "0"}


def celery_with(pool: str) -> Pattern:
    """celery_queue whose worker has another pool."""
    (worker,) = CELERY_QUEUE.processes
    return replace(CELERY_QUEUE, processes=(replace(worker, arguments=(*worker.arguments, "-P", pool)),))


@dataclass(frozen=True)
class Thirty:
    """What became of twenty tasks, one after the other, and of ten at once."""

    one_by_one: list[str]
    at_once: list[str]


def thirty_tasks(served: Served) -> Thirty:
    """Run them."""
    one_by_one = [served.outcome(served.accept("answers:"))["status"] for _ in range(20)]
    task_ids = [served.accept("answers:") for _ in range(10)]
    return Thirty(one_by_one, [served.outcome(task_id)["status"] for task_id in task_ids])


@dataclass(frozen=True)
class Ended:
    """A task whose agent waited for the model was ended, and the next one waited for its slot."""

    task: Json
    next: Json
    calls: int
    closed_seconds: float  # from the cancel, or from the moment at which the task timed out

    @property
    def next_started_seconds(self) -> float:
        """From the end of the task to the start of the next one."""
        return (_moment(self.next["started_at"]) - _moment(self.task["finished_at"])).total_seconds()


def cancelled(
    servers: Servers, model: Calls, pattern: Pattern, agent: str, behaviours: Sequence[str]
) -> dict[str, Ended]:
    """Cancel a task of each behaviour, one after the other."""
    served = servers.serve(pattern, {**_ONE_SLOT, "KIT_AGENT": agent, "MODEL_URL": model.url})
    ended = {behaviour: _cancelled(served, model, behaviour) for behaviour in behaviours}
    served.check_alive()
    return ended


def timed_out(
    servers: Servers, model: Calls, pattern: Pattern, agent: str, behaviours: Sequence[str]
) -> dict[str, Ended]:
    """Let a task of each behaviour time out, one after the other."""
    timeout = {"KIT_TASK_TIMEOUT_SECONDS": f"{_TIMEOUT_SECONDS:g}"}
    served = servers.serve(pattern, {**_ONE_SLOT, **timeout, "KIT_AGENT": agent, "MODEL_URL": model.url})
    ended = {behaviour: _timed_out(served, model, behaviour) for behaviour in behaviours}
    served.check_alive()
    return ended


def measured(ended: Mapping[str, Ended]) -> str:
    """How long it took, for people."""
    return "\n".join(
        f"{behaviour}: closed after {one.closed_seconds:.2f} s, next task after {one.next_started_seconds:.2f} s"
        for behaviour, one in ended.items()
    )


def check(ended: Mapping[str, Ended], status: str, code: str | None) -> None:
    """Each task ended so, was run once, and the next one ran."""
    for behaviour, one in ended.items():
        assert one.task["status"] == status, behaviour
        assert (one.task["error"] or {}).get("code") == code, behaviour
        assert one.calls == 1, behaviour  # also where its process was replaced, and its message delivered again
        assert one.next["status"] == "completed", behaviour


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
