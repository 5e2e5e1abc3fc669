"""What is seen of somebody's server: a few tasks, submitted at first, and watched side by side to their ends.

Its agent takes as long as it takes. So no check has a task of its own to wait for: all of them look at the same few,
and together they take hardly longer than one.
"""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from tests.checkpoints.engine.asking import Answer, NoAnswer, ask
from tests.checkpoints.engine.outside import LONGEST_SECONDS, LOOK_SECONDS, silent_server
from tests.checkpoints.engine.patience import PATIENCE_SECONDS, crowding
from tests.checkpoints.engine.peer import Peer, Reply
from tests.checkpoints.engine.stillness import Stillness
from tests.checkpoints.engine.unlike import mark
from tests.checkpoints.engine.verdict import Inconclusive, NotReached
from tests.checkpoints.engine.wire import finished, task_in, word_in

#: How long an answer may be held: longer than an agent that takes a few seconds works.
HOLD_SECONDS = 30
#: Whoever waits this long wants to know for what.
_TELL_AFTER_SECONDS = 2.0
#: Whoever was asked to wait for a second, or for more, has not done so before this.
_LEAST_HELD_SECONDS = 0.5


@dataclass(frozen=True)
class Look:
    """One request, and its answer. Moments of `time.monotonic()`."""

    what: str
    answer: Answer
    sent: float
    at: float

    @property
    def word(self) -> str:
        """The status that it told."""
        return word_in(self.answer)

    @property
    def finished(self) -> bool:
        """Whether it told an outcome."""
        return finished(self.answer)


@dataclass(eq=False)
class Watched:
    """A task, and all that was answered about it. Written by its own thread; the events say how far that is."""

    name: str
    prompt: str
    submit: Look | None = None
    looks: list[Look] = field(default_factory=list)
    held: list[Look] = field(default_factory=list)  # answers to `Prefer: wait`
    cancels: list[Look] = field(default_factory=list)
    lost: NoAnswer | None = None  # why nothing more is known of it
    answered: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    held_over: threading.Event = field(default_factory=threading.Event)  # no answer of it is held any more

    @property
    def task_id(self) -> str:
        """Its id; empty when there is none."""
        found = task_in(self.submit.answer).get("task_id") if self.submit else None
        return found if isinstance(found, str) else ""

    @property
    def path(self) -> str:
        """Where its status is."""
        return f"/agent/status/{self.task_id}"

    @property
    def known(self) -> list[Look]:
        """The answers of the status route that told the task."""
        return [look for look in self.looks if look.answer.status == 200]

    @property
    def last(self) -> Look | None:
        """What was seen last."""
        return self.looks[-1] if self.looks else None


def held_back(look: Look) -> bool:
    """Whether an answer to `Prefer: wait` says, after half a second at least, that it is not finished."""
    return not look.finished and look.at - look.sent >= _LEAST_HELD_SECONDS


class Witness:
    """Submits the tasks, and watches them. Leaving the block cancels what is not finished."""

    def __init__(self, url: str, tell: Callable[[str], object]) -> None:
        self.url = url
        self.patience = round(4 * PATIENCE_SECONDS * crowding(), 1)
        self.receiver = Peer(lambda _: Reply(204))
        self.calls_back = False
        self.slow = False  # it answers nobody while its agent works
        self.tasks = [Watched(f"task {name}", f"Compare vendor {mark(4)}") for name in "ABC"]
        # Nobody can know from outside how an agent is made to fail. This is how the kit's own can be told to.
        self.tasks.append(Watched("task F", "fail: please"))
        self.a, self.b, self.c, self.f = self.tasks
        self._tell, self._told, self._lost = tell, False, False
        self._stillness = Stillness()
        self._deadline = time.monotonic() + LONGEST_SECONDS
        self._others: list[str] = []

    def __enter__(self) -> Self:
        self._stillness.__enter__()
        with suppress(NoAnswer):
            self.calls_back = task_in(self.look("GET", "/health").answer).get("pattern") == "webhook"
        # In this order: where few work at once, the two that are followed come first, and the third is at work too.
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
        self._stillness.__exit__(kind, error, traceback)

    # What the checks ask

    def body(self, prompt: object) -> dict[str, Any]:
        """A submit that this server should take, if it likes the prompt."""
        callback = {"callback_url": f"{self.receiver.url}/hooks/agent"} if self.calls_back else {}
        return {"prompt": prompt, **callback}

    def must_have_tasks(self) -> None:
        """Say so when no task was accepted: then there is nothing to look at."""
        self.a.answered.wait()
        if not self.a.task_id:
            raise NotReached("no task was accepted")

    def followed(self) -> list[Watched]:
        """The two tasks, followed to their ends. Waits for them, and says so when it takes long."""
        self.must_have_tasks()
        for task in (self.a, self.b):
            self.wait_for(task)
        return [self.a, self.b]

    def completed(self) -> list[Watched]:
        """The two tasks, which must be completed. That they are is a check of its own."""
        both = self.followed()
        for task in both:
            if task.last is None or task.last.word != "completed":
                raise NotReached(f"{task.name} is not completed")
        return both

    def first_look(self, task: Watched) -> Look | None:
        """What was seen of a task right after it was accepted; None when nothing was."""
        while not task.looks and not task.over.wait(0.01):
            pass
        return task.looks[0] if task.looks else None

    def wait_for(self, task: Watched) -> None:
        """Return when a task is finished, or the time is up."""
        if not self._told and not task.over.wait(_TELL_AFTER_SECONDS):
            self._told = True
            self._tell(
                "waiting until the server's agent has finished what was submitted, "
                f"{max(0.0, self._deadline - time.monotonic()):.0f} s at most"
            )
        task.over.wait()
        if task.lost:
            if self._lost:
                raise NotReached("there was no answer before")
            self._lost = True
            raise silent_server(self.url, self.patience, f"GET /agent/status/{{{task.name}}} → {task.lost}", task.lost)

    def stood_still(self) -> None:
        """Say so when the machine stood still: then what came late says nothing about the server."""
        if self._stillness.longest > PATIENCE_SECONDS / 2 * crowding():
            raise Inconclusive(f"The machine stood still for {self._stillness.longest:.1f} s. Run the check again.")

    def submit(self, body: object, headers: dict[str, str] | None = None) -> Look:
        """Submit something more, which is not watched, and give the answer. Raises `NoAnswer`."""
        look = self.look("POST", "/agent/submit", body, headers)
        self.forget_later(look.answer)
        return look

    def forget_later(self, answer: Answer) -> None:
        """Cancel at the end what was accepted here."""
        task_id = task_in(answer).get("task_id")
        if isinstance(task_id, str):
            self._others.append(task_id)

    def look(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: dict[str, str] | None = None,
        within: float | None = None,
    ) -> Look:
        """Send one request. Raises `NoAnswer`."""
        sent = time.monotonic()
        answer = ask(self.url, method, path, body, headers, within=within or self.patience)
        return Look(f"{method} {path}", answer, sent, time.monotonic())

    def drop(self, task_id: str) -> None:
        """Cancel a task that nobody needs any more, if that can be done."""
        with suppress(NoAnswer):
            self.look("POST", f"/agent/cancel/{task_id}", within=2)

    # How it learns what it knows

    def _live(self, task: Watched, live: Callable[[Watched], None]) -> None:
        try:
            self._submit(task)
            task.answered.set()
            if task.task_id:
                live(task)
        except NoAnswer as error:
            task.lost = error
        finally:
            task.answered.set()
            task.over.set()

    def _submit(self, task: Watched) -> None:
        for _ in range(2):
            within = LONGEST_SECONDS / 2
            task.submit = self.look("POST", "/agent/submit", self.body(task.prompt), within=within)
            refused = task.submit.answer.status == 422 and b"callback_url" in task.submit.answer.body
            if self.calls_back or not refused:
                return
            self.calls_back = True  # it asks for one, though it did not say so

    def _looks(self, task: Watched) -> Iterator[Look]:
        """Look at a task until it is finished, or the time is up."""
        while time.monotonic() < self._deadline:
            task.looks.append(self.look("GET", task.path, within=LONGEST_SECONDS / 2))
            yield task.looks[-1]
            if task.looks[-1].finished:
                return
            time.sleep(LOOK_SECONDS)

    def _follow(self, task: Watched) -> None:
        for _ in self._looks(task):
            pass

    def _follow_held(self, seconds: int) -> Callable[[Watched], None]:
        """Follow a task, and ask for its outcome meanwhile, each time with an answer that may be held."""

        def hold(task: Watched) -> None:
            prefer, within = {"Prefer": f"wait={seconds}"}, seconds + 2 * self.patience
            with suppress(NoAnswer):
                while not task.over.is_set() and (not task.held or held_back(task.held[-1])):
                    task.held.append(self.look("GET", task.path, headers=prefer, within=within))
            task.held_over.set()

        def follow(task: Watched) -> None:
            threading.Thread(target=hold, args=[task], daemon=True).start()
            self._follow(task)

        return follow

    def _cancel(self, task: Watched) -> None:
        """Cancel a task at work, if it gets there soon; twice. One that was done before is not what is wanted."""
        for patience in (2.0, 0.5, 0.0):
            soon = time.monotonic() + patience
            for look in self._looks(task):
                if look.word not in {"", "pending"} or time.monotonic() > soon:
                    break
            for _ in range(2):
                task.cancels.append(self.look("POST", f"/agent/cancel/{task.task_id}"))
            task.looks.append(self.look("GET", task.path))
            if task.cancels[0].answer.status != 409 or task.looks[-1].word != "completed" or not patience:
                return
            task.looks, task.cancels = [], []
            self._submit(task)
