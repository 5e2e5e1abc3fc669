"""The learner's app and workers, whose processes are killed, and the receiver of the callbacks."""

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

#: The visibility timeout in seconds. LONG if no whole worker is killed, and as a retry delay if no retry is expected.
VISIBILITY, LONG = 0.6, 300.0
RETRY = 0.05
#: MANY if a slow machine may cause the redelivery of a living worker's message.
MOST_RUNS, MANY = 2, 9


class CrashScenario:
    """The learner's app and workers, and the receiver of their callbacks. Leaving the block releases held responses."""

    def __init__(self, environment: CheckEnvironment) -> None:
        if environment.url:
            raise NotFromOutside("this check kills workers, and needs the kit's agent")
        self._environment = environment
        self._replies: dict[str, tuple[CallbackReply, ...]] = {}
        self._let_go = threading.Event()
        self.server = ScriptedServer(self._answer)
        #: Holds the response to a callback.
        self.silent = CallbackReply(Reply(204), "no response", lambda _: self._hold())

    def begin(self, *, kills_workers: bool = False, retry: float = RETRY) -> CeleryDeployment:
        """Start everything. `retry` is the time between two callbacks, in seconds."""
        self.visibility = VISIBILITY * load_factor() if kills_workers else LONG
        self._environment.load(HTTPX)
        self.deployment = CeleryDeployment(
            self._environment,
            VISIBILITY_SECONDS=str(self.visibility),
            MOST_RUNS=str(MANY if kills_workers else MOST_RUNS),
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
        """Set the replies to the first callbacks at this path. All later callbacks are accepted."""
        self._replies[path] = replies

    def callbacks(self, task: Task) -> list[Request]:
        """The callbacks for this task, oldest first."""
        return self.server.matching(lambda request: _is_of(request, task))

    def must_deliver(self, task: Task, status: str, number: int = 1, later: float = 0) -> Request:
        """A callback with this outcome, which must arrive in time."""
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
        self.app.timeline.note(f"POST {request.path} (callback for {task.task_id}){answer}", at=request.at)
        must_report(request, task.task_id, self.app.status(task, note=False))
        if not request.headers.get("webhook-id"):
            raise Wrong(
                "WEBHOOK_ID_WRONG",
                "the callback has no webhook-id",
                likely="the header is not sent, or its value is empty.",
                next_step="send it with every attempt, and derive it from the task: `msg_` and the task_id.",
            )
        if request.headers["webhook-id"] != came[0].headers.get("webhook-id"):
            raise Wrong("WEBHOOK_ID_WRONG", "its webhook-id differs from the callback before")
        if request.json["status"] != status:
            raise Wrong("CALLBACK_WRONG", f'its "status" is {request.json["status"]!r}')
        return request

    def must_not_deliver_again(self, task: Task) -> None:
        """Check that a refused callback is not retried before its delay, which is long."""
        if len(self.callbacks(task)) > 1:
            raise Wrong(
                "RETRIED_TOO_SOON",
                f"the callback for {task.task_id} was already retried, but RETRY_SECONDS is {LONG:g}",
                likely="each retry follows at once (`countdown=0`): all of them are used up in a moment, while the "
                "receiver is still restarting.",
                next_step="make Celery wait before each retry: `default_retry_delay=RETRY_SECONDS`.",
            )

    def must_have_own_ids(self, *tasks: Task) -> None:
        """Check that the callbacks for different tasks have different ids."""
        ids = [self.callbacks(task)[0].headers.get("webhook-id") for task in tasks]
        if len(set(ids)) < len(ids):
            raise Wrong(
                "WEBHOOK_ID_WRONG",
                "the callbacks of two tasks have the same webhook-id",
                likely="all callbacks share one id: it is hard-coded, or derived from something that tasks share.",
                next_step="derive the id from the task: `msg_` and the task_id.",
            )

    def must_deliver_once(self, *tasks: Task) -> None:
        """Check that no outcome was delivered twice without a crash."""
        for task in tasks:
            if len(self.callbacks(task)) > 1:
                raise Wrong(
                    "CALLBACK_REPEATED",
                    f"{len(self.callbacks(task))} callbacks for {task.task_id}",
                    likely="one path through `work` calls `tell.delay` twice, or `tell` accepts only some 2xx codes, "
                    "and not 202.",
                    next_step="call `tell.delay` once, in the last line of `work`. Any 2xx acknowledges the callback.",
                )

    def deliver_again(self, task: Task, message: str, times: int = 1) -> int:
        """Deliver the message of a finished task `times` more times, and return the number of callbacks so far.

        Each time, `work` may send the callback again, unless it checks whether it was acknowledged.
        """
        expected = len(self.callbacks(task)) + times
        if message:
            self.deployment.deliver_again(task, message, times)
            self.server.wait_for(expected, self.app.time_limit, lambda request: _is_of(request, task))
        return len(self.callbacks(task))

    def must_have_run(self, task: Task, times: int) -> None:
        """Check that the agent was not called more often than this."""
        if len(self.app.agent_control.of(task.prompt)) > times:
            raise Wrong("RAN_TWICE", f"the agent is called again for {task.task_id}, which is already finished")

    def must_run_again(self, task: Task, number: int, *, elsewhere: bool = False) -> Run:
        """The new run for a task whose process was killed, or (`elsewhere`) its whole worker."""
        try:
            run = self.deployment.started(
                task, number, self.app.time_limit + (self.visibility if elsewhere else NEXT_ROUND)
            )
        except Wrong as wrong:
            if wrong.code != "PENDING_FOREVER":
                raise
            likely = (
                "the message was acknowledged before the work (no `task_acks_late`), or when the process was lost (no "
                "`task_reject_on_worker_lost`)."
            )
            next_step = "set both: acknowledge a message after the task is done, and requeue it if the process is lost."
            if elsewhere:
                likely = (
                    "the message was acknowledged before the work, or the visibility timeout is not VISIBILITY_SECONDS."
                )
                next_step = "set `task_acks_late`, and leave `visibility_timeout` as in the stub, in seconds."
            if self.app.status(task, note=False)["status"] == "failed":
                likely = "it is given up too early: the count includes runs of other tasks, or one run too many."
                next_step = (
                    "count the runs of each task under its own key, and give up if there are more than MOST_RUNS."
                )
            raise Wrong("NOT_RUN_AGAIN", wrong.seen, likely, next_step) from None
        self.app.timeline.amend(" again")
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
        callbacks = self.server.matching(lambda callback: callback.path == request.path)
        number = next(number for number, callback in enumerate(callbacks) if callback is request)
        return replies[number] if number < len(replies) else TAKEN

    def _hold(self) -> None:
        self._let_go.wait()


def _is_of(request: Request, task: Task) -> bool:
    return isinstance(request.json, dict) and request.json.get("task_id") == task.task_id


def _missing(number: int, last: CallbackReply | None) -> Wrong:
    if number == 1:
        return Wrong(
            "CALLBACK_NOT_SENT",
            "no callback arrives",
            likely="this path does not reach `tell.delay(…)`, or `tell` raises before it sends the request.",
            next_step="end every path through `work` with `tell.delay(…)`, and look at the worker's output.",
        )
    if last is CUT:
        return Wrong(
            "CALLBACK_NOT_RETRIED",
            "no further callback arrives",
            likely="error responses are retried, but broken connections are not: they raise another exception, or "
            "`tell` catches it.",
            next_step="retry for `httpx.HTTPError`, the base class of both exceptions, and do not catch it in `tell`.",
        )
    return Wrong(
        "CALLBACK_NOT_RETRIED",
        "no further callback arrives",
        likely="Celery does not retry after this response, or gives up too soon (by default after three retries, three "
        "minutes apart), or is not used at all: `tell(…)` is an ordinary call.",
        next_step="call `tell.delay(…)`, raise for an error response (`raise_for_status`), and set the exception, the "
        "delay and the number of retries in the decorator.",
    )
