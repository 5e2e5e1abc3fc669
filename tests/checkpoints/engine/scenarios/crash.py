"""The learner's app and workers where processes are killed, and the receiver of the callbacks."""

import threading
from types import TracebackType
from typing import Self

from tests.checkpoints.engine.actors.agent_control import Run
from tests.checkpoints.engine.actors.app import App
from tests.checkpoints.engine.actors.celery_deployment import NEXT_ROUND, CeleryDeployment
from tests.checkpoints.engine.actors.environment import CheckEnvironment
from tests.checkpoints.engine.actors.task import Task
from tests.checkpoints.engine.diagnosis.failures import NotFromOutside, Wrong
from tests.checkpoints.engine.http.scripted_server import Reply, Request, ScriptedServer
from tests.checkpoints.engine.processes.fork_server import HTTPX
from tests.checkpoints.engine.processes.time_limits import load_factor
from tests.checkpoints.engine.webhooks.callback import must_report
from tests.checkpoints.engine.webhooks.receiver import CUT, TAKEN, CallbackReply

#: Seconds after which what is not acknowledged belongs to a dead worker. LONG where no whole worker is killed, and
#: where the next callback is not waited for.
VISIBILITY, LONG = 0.6, 300.0
RETRY = 0.05
#: MANY where a machine that is slow may have a living worker's message delivered once more.
MAX_RUNS, MANY = 2, 9


class CrashScenario:
    """The learner's app and workers, and the receiver of its callbacks. Leaving the block lets go of what it holds."""

    def __init__(self, environment: CheckEnvironment) -> None:
        if environment.url:
            raise NotFromOutside("it kills the workers, and needs the kit's own agent")
        self._environment = environment
        self._replies: dict[str, tuple[CallbackReply, ...]] = {}
        self._let_go = threading.Event()
        self.server = ScriptedServer(self._answer)
        #: Keeps a callback waiting for its answer.
        self.silent = CallbackReply(Reply(204), "no answer", lambda _: self._hold())

    def begin(self, *, kills_workers: bool = False, retry: float = RETRY) -> CeleryDeployment:
        """Start everything. `retry` are the seconds between two callbacks."""
        self.visibility = VISIBILITY * load_factor() if kills_workers else LONG
        self._environment.load(HTTPX)
        self.deployment = CeleryDeployment(
            self._environment,
            VISIBILITY_SECONDS=str(self.visibility),
            MAX_RUNS=str(MANY if kills_workers else MAX_RUNS),
            RETRY_SECONDS=str(retry),
        )
        return self.deployment

    @property
    def app(self) -> App:
        """The web process."""
        return self.deployment.app

    def submit(self, path: str = "/hook") -> Task:
        """Submit a task whose callback goes to this path."""
        return self.app.submit(callback_url=f"{self.server.url}{path}")

    def answer_with(self, path: str, *replies: CallbackReply) -> None:
        """What the first callbacks at this path are answered. All others are taken."""
        self._replies[path] = replies

    def callbacks(self, task: Task) -> list[Request]:
        """The callbacks that tell this task, oldest first."""
        return self.server.matching(lambda request: _is_of(request, task))

    def must_deliver(self, task: Task, status: str, number: int = 1, later: float = 0) -> Request:
        """A callback that tells this outcome, which must come in time."""
        for within in (self.app.time_limit + later, NEXT_ROUND):
            if self.server.wait_for(number, within, lambda request: _is_of(request, task)):
                break
            if not self.deployment.pool_has_changed:
                break
        came = self.callbacks(task)
        if len(came) < number:
            others = [request for request in list(self.server.requests) if not isinstance(request.json, dict)]
            if others:
                must_report(others[0], task.task_id)
            raise _missing(number, self._reply_to(came[-1]) if came else None)
        request, reply = came[number - 1], self._reply_to(came[number - 1])
        answer = "" if reply is TAKEN else f" → {reply.description or reply.answer.status}"
        self.app.timeline.note(f"POST {request.path} tells {task.task_id}{answer}", at=request.at)
        must_report(request, task.task_id, self.app.status(task, note=False))
        if not request.headers.get("webhook-id"):
            raise Wrong(
                "WEBHOOK_ID_WRONG",
                "the callback has no webhook-id",
                likely="the header is not sent, or its value is empty.",
                next_step="send it with every attempt, made of the task's own id: `msg_` and the task_id.",
            )
        if request.headers["webhook-id"] != came[0].headers.get("webhook-id"):
            raise Wrong("WEBHOOK_ID_WRONG", "another webhook-id than in the callback before")
        if request.json["status"] != status:
            raise Wrong("CALLBACK_WRONG", f'its "status" is {request.json["status"]!r}')
        return request

    def must_not_deliver_again(self, task: Task) -> None:
        """A refused callback may not be delivered again before its time, which is far away."""
        if len(self.callbacks(task)) > 1:
            raise Wrong(
                "RETRIED_TOO_SOON",
                f"{task.task_id} is told again by now, and RETRY_SECONDS is {LONG:g}",
                likely="the next try is made at once (`countdown=0`): all of them are used up in a moment, and a "
                "receiver that restarts is never told.",
                next_step="let Celery wait before each retry: `default_retry_delay=RETRY_SECONDS`.",
            )

    def must_have_own_ids(self, *tasks: Task) -> None:
        """The outcomes of two tasks have two ids."""
        ids = [self.callbacks(task)[0].headers.get("webhook-id") for task in tasks]
        if len(set(ids)) < len(ids):
            raise Wrong(
                "WEBHOOK_ID_WRONG",
                "the callbacks of two tasks have the same webhook-id",
                likely="one id stands for all: it is written into the code, or made of what tasks have in common.",
                next_step="make the id of the task's own, `msg_` and the task_id.",
            )

    def must_deliver_once(self, *tasks: Task) -> None:
        """No outcome may have been delivered twice, where nothing had happened."""
        for task in tasks:
            if len(self.callbacks(task)) > 1:
                raise Wrong(
                    "CALLBACK_REPEATED",
                    f"{task.task_id} is told {len(self.callbacks(task))} times",
                    likely="the telling is handed over in two places, on one way through `work`; or only some of the "
                    "2xx count as taken, and 202 is not among them.",
                    next_step="hand it over once, as the last line of `work`. Any 2xx says that it was taken.",
                )

    def deliver_again(self, task: Task, message: str, times: int = 1) -> int:
        """Deliver the message of a finished task so many times more, and give the number of the callbacks so far.

        Each time `work` hands the telling over once more. One that looks whether it was told may leave it at that.
        """
        told = len(self.callbacks(task)) + times
        if message:
            self.deployment.deliver_again(task, message, times)
            self.server.wait_for(told, self.app.time_limit, lambda request: _is_of(request, task))
        return len(self.callbacks(task))

    def must_have_run(self, task: Task, times: int) -> None:
        """The agent may not have been called more often."""
        if len(self.app.agent_control.of(task.prompt)) > times:
            raise Wrong("RAN_TWICE", f"the agent is called again for {task.task_id}, which was finished")

    def must_run_again(self, task: Task, number: int, *, elsewhere: bool = False) -> Run:
        """The agent's run for a task whose process was killed; or its whole worker: then it is run elsewhere."""
        try:
            run = self.deployment.started(
                task, number, self.app.time_limit + (self.visibility if elsewhere else NEXT_ROUND)
            )
        except Wrong as wrong:
            if wrong.code != "PENDING_FOREVER":
                raise
            likely = (
                "the message was acknowledged when it was taken (without `task_acks_late`), or it was thrown away with "
                "the lost process (without `task_reject_on_worker_lost`)."
            )
            next_step = "set both: acknowledged when the task is done, and put back when its process is lost."
            if elsewhere:
                likely = (
                    "it was acknowledged when it was taken, or the broker keeps it for longer than VISIBILITY_SECONDS."
                )
                next_step = "set `task_acks_late`, and leave the `visibility_timeout` as it was given, in seconds."
            if self.app.status(task, note=False)["status"] == "failed":
                likely = "it is given up before its time: the runs of all tasks are counted together, or one too many."
                next_step = "count under a name of each task's own, and give up when there are more than MAX_RUNS."
            raise Wrong("NOT_RUN_AGAIN", wrong.seen, likely, next_step) from None
        self.app.timeline.amend(", once more")
        return run

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._let_go.set()
        self.server.__exit__(kind, error, traceback)

    def _answer(self, request: Request) -> Reply:
        reply = self._reply_to(request)
        reply.before(request)
        return reply.answer

    def _reply_to(self, request: Request) -> CallbackReply:
        replies = self._replies.get(request.path, ())
        before = self.server.matching(lambda one: one.path == request.path)
        number = next(number for number, one in enumerate(before) if one is request)
        return replies[number] if number < len(replies) else TAKEN

    def _hold(self) -> None:
        self._let_go.wait()


def _is_of(request: Request, task: Task) -> bool:
    return isinstance(request.json, dict) and request.json.get("task_id") == task.task_id


def _missing(number: int, last: CallbackReply | None) -> Wrong:
    if number == 1:
        return Wrong(
            "CALLBACK_NOT_SENT",
            "no callback comes",
            likely="`tell.delay(…)` is not reached on this path, or `tell` raises before it calls anybody.",
            next_step="let every path through `work` end with `tell.delay(…)`, and look at the worker's output.",
        )
    if last is CUT:
        return Wrong(
            "CALLBACK_NOT_RETRIED",
            "no other callback comes",
            likely="bad answers are tried again, and broken connections are not: the exception has another class, or "
            "`tell` catches it.",
            next_step="try again for `httpx.HTTPError`, the parent of both kinds, and let it out of `tell`.",
        )
    return Wrong(
        "CALLBACK_NOT_RETRIED",
        "no other callback comes",
        likely="Celery is not told to try again on this answer, or gives up too soon (its own limit is three retries, "
        "three minutes apart), or is not asked at all: `tell(…)` is a call as any other.",
        next_step="call it by `tell.delay(…)`; let a bad answer raise (`raise_for_status`), and say in the decorator "
        "for which exception, after how long and how often to try again.",
    )
