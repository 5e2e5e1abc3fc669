"""Observes a running server: submits a few tasks first, and watches them concurrently until they finish.

The kit cannot control the server's agent. So no check waits for its own task: all checks look at the same few, and
together they take hardly longer than one task.
"""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from tests.checkpoints.engine.actors.external import LONGEST_SECONDS, LOOK_SECONDS, silent_server
from tests.checkpoints.engine.actors.observed_task import Exchange, ObservedTask, held_back
from tests.checkpoints.engine.actors.unique import unique_hex
from tests.checkpoints.engine.diagnosis.failures import Inconclusive, NotReached
from tests.checkpoints.engine.diagnosis.timeline import Timeline
from tests.checkpoints.engine.http.http_client import NoResponse, Response, send_request
from tests.checkpoints.engine.http.scripted_server import Reply, ScriptedServer
from tests.checkpoints.engine.http.wire import task_in
from tests.checkpoints.engine.processes.stalls import StallMonitor
from tests.checkpoints.engine.processes.time_limits import TIME_LIMIT_SECONDS, load_factor

#: How long a response may be held: longer than an agent that takes a few seconds.
HOLD_SECONDS = 30
#: After this long, report what the check waits for.
_REPORT_AFTER_SECONDS = 2.0


class Observer:
    """Submits the tasks, and watches them. Leaving the block cancels those that are not finished."""

    def __init__(self, url: str, report: Callable[[str], object]) -> None:
        self.url = url
        self.time_limit = round(4 * TIME_LIMIT_SECONDS * load_factor(), 1)
        self.receiver = ScriptedServer(lambda _: Reply(204))
        self.calls_back = False
        self.slow = False  # it responds to no request while its agent works
        self.tasks = [ObservedTask(f"task {name}", f"Compare vendor {unique_hex(4)}") for name in "ABC"]
        # How to make an external agent fail is unknown. The kit's agent fails on this prompt.
        self.tasks.append(ObservedTask("task F", "fail: please"))
        self.a, self.b, self.c, self.f = self.tasks
        self._report, self._reported, self._lost = report, False, False
        self._stalls = StallMonitor()
        self._deadline = time.monotonic() + LONGEST_SECONDS
        self._others: list[str] = []

    def __enter__(self) -> Self:
        self._stalls.__enter__()
        with suppress(NoResponse):
            self.calls_back = task_in(self.send("GET", "/health").answer).get("pattern") == "webhook"
        # In this order: with few workers, the two followed tasks come first, and the third is running too.
        lives = (self._follow_held(HOLD_SECONDS), self._follow_held(1), self._cancel, self._follow)
        for task, live in zip(self.tasks, lives, strict=True):
            threading.Thread(target=self._live, args=[task, live], daemon=True).start()
            task.answered.wait(1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._deadline = 0
        left = [task.task_id for task in self.tasks if task.task_id and not task.over.is_set()]
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(self.drop, [*left, *self._others]))
        self.receiver.__exit__(kind, error, traceback)
        self._stalls.__exit__(kind, error, traceback)

    def name_tasks(self, timeline: Timeline) -> None:
        """Give the tasks short names in a check's timeline."""
        for task in self.tasks:
            if task.task_id:
                timeline.call(task.task_id, f"{{{task.name}}}")

    # For the checks

    def body(self, prompt: object) -> dict[str, Any]:
        """The body of a submit with this prompt, as this server expects it."""
        callback = {"callback_url": f"{self.receiver.url}/hooks/agent"} if self.calls_back else {}
        return {"prompt": prompt, **callback}

    def must_have_tasks(self) -> None:
        """Raise `NotReached` if no task was accepted: then there is nothing to check."""
        self.a.answered.wait()
        if not self.a.task_id:
            raise NotReached("no task was accepted")

    def followed(self) -> list[ObservedTask]:
        """The two tasks that are followed until they finish. Waits for them, and reports a long wait."""
        self.must_have_tasks()
        for task in (self.a, self.b):
            self.wait_for(task)
        return [self.a, self.b]

    def completed(self) -> list[ObservedTask]:
        """The two tasks, which must be completed. Another check tests that they are."""
        both = self.followed()
        for task in both:
            if task.last is None or task.last.word != "completed":
                raise NotReached(f"{task.name} is not completed")
        return both

    def first_poll(self, task: ObservedTask) -> Exchange | None:
        """The first poll of a task, right after it was accepted; None if there was none."""
        while not task.polls and not task.over.wait(0.01):
            pass
        return task.polls[0] if task.polls else None

    def wait_for(self, task: ObservedTask) -> None:
        """Return when a task is finished, or after the time limit."""
        if not self._reported and not task.over.wait(_REPORT_AFTER_SECONDS):
            self._reported = True
            self._report(
                "waiting for the server's agent to finish the tasks, "
                f"at most {max(0.0, self._deadline - time.monotonic()):.0f} s"
            )
        task.over.wait()
        if task.lost:
            if self._lost:
                raise NotReached("an earlier request got no response")
            self._lost = True
            raise silent_server(
                self.url, self.time_limit, f"GET /agent/status/{{{task.name}}} → {task.lost}", task.lost
            )

    def must_not_have_stalled(self) -> None:
        """Raise `Inconclusive` if the machine stalled: then a late response says nothing about the server."""
        if self._stalls.longest > TIME_LIMIT_SECONDS / 2 * load_factor():
            raise Inconclusive(f"The machine stalled for {self._stalls.longest:.1f} s. Run the check again.")

    def submit(self, body: object, headers: dict[str, str] | None = None) -> Exchange:
        """Submit another task, which is not watched. Raises `NoResponse`."""
        exchange = self.send("POST", "/agent/submit", body, headers)
        self.forget_later(exchange.answer)
        return exchange

    def forget_later(self, answer: Response) -> None:
        """Cancel the task in this response at the end."""
        task_id = task_in(answer).get("task_id")
        if isinstance(task_id, str):
            self._others.append(task_id)

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: dict[str, str] | None = None,
        within: float | None = None,
    ) -> Exchange:
        """Send one request. Raises `NoResponse`."""
        sent = time.monotonic()
        answer = send_request(self.url, method, path, body, headers, within=within or self.time_limit)
        return Exchange(f"{method} {path}", answer, sent, time.monotonic())

    def drop(self, task_id: str) -> None:
        """Cancel a task that is no longer needed, if the server can."""
        with suppress(NoResponse):
            self.send("POST", f"/agent/cancel/{task_id}", within=2)

    # The threads that watch the tasks

    def _live(self, task: ObservedTask, live: Callable[[ObservedTask], None]) -> None:
        try:
            self._submit(task)
            task.answered.set()
            if task.task_id:
                live(task)
        except NoResponse as error:
            task.lost = error
        finally:
            task.answered.set()
            task.over.set()

    def _submit(self, task: ObservedTask) -> None:
        for _ in range(2):
            within = LONGEST_SECONDS / 2
            task.submit = self.send("POST", "/agent/submit", self.body(task.prompt), within=within)
            refused = task.submit.answer.status == 422 and b"callback_url" in task.submit.answer.body
            if self.calls_back or not refused:
                return
            self.calls_back = True  # it requires a callback_url, though /health names another pattern

    def _polls(self, task: ObservedTask) -> Iterator[Exchange]:
        """Poll a task until it is finished, or until the time limit."""
        while time.monotonic() < self._deadline:
            task.polls.append(self.send("GET", task.path, within=LONGEST_SECONDS / 2))
            yield task.polls[-1]
            if task.polls[-1].finished:
                return
            time.sleep(LOOK_SECONDS)

    def _follow(self, task: ObservedTask) -> None:
        for _ in self._polls(task):
            pass

    def _follow_held(self, seconds: int) -> Callable[[ObservedTask], None]:
        """Follow a task, and at the same time request its status with `Prefer: wait`."""

        def hold(task: ObservedTask) -> None:
            prefer, within = {"Prefer": f"wait={seconds}"}, seconds + 2 * self.time_limit
            with suppress(NoResponse):
                while not task.over.is_set() and (not task.held or held_back(task.held[-1])):
                    task.held.append(self.send("GET", task.path, headers=prefer, within=within))
            task.held_over.set()

        def follow(task: ObservedTask) -> None:
            threading.Thread(target=hold, args=[task], daemon=True).start()
            self._follow(task)

        return follow

    def _cancel(self, task: ObservedTask) -> None:
        """Cancel a running task, twice. If it finished before, try again with a new task, sooner."""
        for seconds in (2.0, 0.5, 0.0):
            soon = time.monotonic() + seconds
            for exchange in self._polls(task):
                if exchange.word not in {"", "pending"} or time.monotonic() > soon:
                    break
            for _ in range(2):
                task.cancels.append(self.send("POST", f"/agent/cancel/{task.task_id}"))
            task.polls.append(self.send("GET", task.path))
            if task.cancels[0].answer.status != 409 or task.polls[-1].word != "completed" or not seconds:
                return
            task.polls, task.cancels = [], []
            self._submit(task)
