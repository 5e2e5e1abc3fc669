"""A learner's app, or an external server, as its client sees it: tasks are submitted and polled, and every surprise
is diagnosed.

What a surprise means follows from three things together: what the answer was, what the agent was doing just
then, and what had been seen of the task before.
"""

import json
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet

from tests.checkpoints.engine.actors.agent_control import Run
from tests.checkpoints.engine.actors.external import begun, submit_is_late
from tests.checkpoints.engine.actors.server import Server
from tests.checkpoints.engine.actors.task import FINISHED, WORDS, Json, Task
from tests.checkpoints.engine.actors.unique import unique_hex
from tests.checkpoints.engine.diagnosis.failures import AgentNotCalled, Wrong, WrongStatus
from tests.checkpoints.engine.diagnosis.framework_errors import RETURNED, refused_by_its_type, submit_refused
from tests.checkpoints.engine.http.http_client import Answer, NoAnswer, send_request, summarize
from tests.checkpoints.engine.processes.background import in_background


class App(Server):
    """A server that takes prompts, and tells what became of them."""

    _tasks = 0

    # Submit

    def new_prompt(self) -> str:
        """A prompt that no other task has."""
        self._tasks += 1
        prompt = f"Compare vendor {unique_hex(4)}"
        self._expect(prompt)
        return prompt

    def _expect(self, prompt: str) -> None:
        if self._agent_control:
            self._agent_control.expected.append(prompt)

    def submit(self, prompt: str | None = None, **more: object) -> Task:
        """Submit a prompt, which must be accepted at once, and give the task."""
        prompt = self.new_prompt() if prompt is None else prompt
        self._expect(prompt)
        name = f"task {chr(64 + self._tasks)}" if 0 < self._tasks <= 26 else "a task"
        self.timeline.note(f"POST /agent/submit ({name})")
        began = time.monotonic()
        answer = self._submitted(prompt, {"prompt": prompt, **more})
        answered = time.monotonic()
        task = self.accepted(answer, prompt, name)
        task.at, task.took = answered, answered - began
        return task

    def submit_again(self, task: Task) -> Task:
        """Submit the prompt of a task once more: that is another task."""
        self._tasks += 1
        return self.submit(task.prompt)

    def accepted(self, answer: Answer, prompt: str, name: str = "the task") -> Task:
        """The task in the answer to a submit, which must be a 202."""
        self.refuse_5xx(answer)
        self.must_be_there("POST", "/agent/submit", answer)
        body = answer.json
        if answer.status == 422:
            raise Wrong("WRONG_STATUS_CODE", *submit_refused(body))
        if answer.status != 202:
            raise Wrong("WRONG_STATUS_CODE", f"the answer is {answer.status}, where 202 Accepted is due")
        if not isinstance(body, dict):
            raise Wrong("NOT_JSON", f"the body is {answer.text or 'empty'}, where a JSON object is due")
        if "task_id" not in body:
            raise Wrong("NO_TASK_ID", f'the body has {sorted(body)}, and no "task_id"')
        task_id = body["task_id"]
        if not isinstance(task_id, str) or not task_id:
            raise Wrong("NO_TASK_ID", f'"task_id" is {json.dumps(task_id)}, where a text is due that is not empty')
        self.timeline.call(task_id, f"{{{name}}}")
        return Task(task_id, prompt, body)

    def _submitted(self, prompt: str, body: Json) -> Answer:
        asked = in_background(lambda: send_request(self.url, "POST", "/agent/submit", body, within=4 * self.time_limit))
        try:
            answer = asked.result(self.time_limit)
        except NotYet:
            self.timeline.amend(f" → no answer within {self.time_limit:g} s")
            raise self._submit_is_late(prompt, asked) from None
        except NoAnswer as error:
            self.timeline.amend(f" → {error}")
            raise self.silent(error, "/agent/submit") from None
        self.timeline.amend(f" → {summarize(answer)}")
        return answer

    def _submit_is_late(self, prompt: str, asked: "Future[Answer]") -> Wrong:
        if ended := self.ended():
            return Wrong("CRASHED", ended)
        if self.external:
            return submit_is_late(asked, self.time_limit)
        runs = self.agent_control.of(prompt)
        if not runs:
            return self.silent(NoAnswer("", late=True), "/agent/submit")
        self.timeline.note("the agent is at work, and is now let finish")
        runs[0].finish()
        try:
            self.timeline.note(f"the submit is answered → {summarize(asked.result(self.time_limit))}")
        except (NoAnswer, NotYet):
            return Wrong("NO_ANSWER")
        return Wrong("SUBMIT_BLOCKS")

    # The agent

    def started(self, task: Task, number: int = 1, within: float | None = None) -> Run:
        """The agent's run for a task, which must begin in time."""
        if self.external:
            return begun(self, task)
        run = self.agent_control.wait_for(task.prompt, within or self.time_limit, number)
        if run is None:
            if ended := self.ended():
                raise Wrong("CRASHED", ended)
            if others := [
                other.prompt for other in self.agent_control.runs if other.prompt not in self.agent_control.expected
            ]:
                raise Wrong("WRONG_PROMPT", f"the agent was called with {others[0]!r}, not with the prompt")
            self.timeline.note("the agent was not called")
            raise AgentNotCalled("PENDING_FOREVER", self._look_again(task))
        self.timeline.note(f"the agent starts on {task.task_id}")
        return run

    def finish(self, task: Task, run: Run) -> str:
        """Let the agent finish a task, and give its answer."""
        answer = run.finish()
        self.timeline.note(f"the agent finishes {task.task_id}")
        return answer

    def fail(self, task: Task, run: Run, message: str = "the model refused", kind: str = "RuntimeError") -> None:
        """Let the agent fail at a task: it raises a `RuntimeError`, or a `TimeoutError`."""
        run.fail(message, kind)
        self.timeline.note(f"the agent raises {kind} on {task.task_id}")

    # Status

    def status(self, task: Task, note: bool = True) -> Json:
        """The task as the status route tells it now."""
        answer = self.request("GET", f"/agent/status/{task.task_id}", note=note)
        body = answer.json
        seen = "" if note else f"GET /agent/status/{task.task_id} → {summarize(answer)}"
        if answer.status == 404:
            raise Wrong("RECORD_TOO_LATE" if task.seen in {"pending", "running"} else "FORGOTTEN_TOO_SOON", seen)
        if answer.status != 200:
            seen = seen or f"the answer is {answer.status}, where 200 is due"
            raise Wrong("WRONG_STATUS_CODE", seen, *refused_by_its_type(body))
        if not isinstance(body, dict):
            raise Wrong("NOT_JSON", seen)
        if "status" not in body:
            raise WrongStatus("WRONG_WORDS", seen or f'the body has {sorted(body)}, and no "status"', *_NO_STATUS)
        word = body["status"]
        if not isinstance(word, str) or word not in WORDS:
            raise WrongStatus("WRONG_WORDS", seen or f"the status is {word!r}")
        back = WORDS[word] < WORDS[task.seen] or (task.seen in FINISHED and word != task.seen)
        if not task.finished and word in FINISHED:
            task.over = time.monotonic()
        before, task.seen = task.seen, word
        task.ran = task.ran or word == "running"
        if back:
            raise WrongStatus(
                "STATUS_WENT_BACK", f"GET /agent/status/{task.task_id} → {word}, after it had been {before}"
            )
        return body

    def must_not_know(self, task_id: str = "never-given-out") -> None:
        """See that an id that was never given out is answered with 404."""
        answer = self.request("GET", f"/agent/status/{task_id}")
        if answer.status == 404:
            return
        if isinstance(answer.json, dict) and answer.json.get("status_code") == 404:
            raise Wrong("UNKNOWN_ID_NOT_404", "", *RETURNED)
        raise Wrong("UNKNOWN_ID_NOT_404", "", *refused_by_its_type(answer.json))

    def until(self, task: Task, wanted: str, within: float | None = None) -> Json:
        """The task, once it has this status; what it means that it does not get there is diagnosed."""
        began = time.monotonic()
        within = within or self.time_limit
        while True:
            body = self.status(task, note=False)
            if body["status"] == wanted or (wanted == "running" and task.ran and self.external):  # it goes on by itself
                self.timeline.note(f"GET /agent/status/{task.task_id} → 200 {body['status']}")
                return body
            over = time.monotonic() - began > within
            if over or body["status"] in FINISHED:
                still = "" if body["status"] in FINISHED else f"still, after {within:g} s of asking: "
                error = f", error: {body['error']}" if body.get("error") else ""
                self.timeline.note(f"GET /agent/status/{task.task_id} → {still}200 {body['status']}{error}")
                raise Wrong(self._why_not(task, wanted, body["status"]))
            time.sleep(0.02)

    def _told_in_the_end(self, task: Task, run: Run) -> bool:
        """Whether a task that was not marked as running is told at least when the agent has finished."""
        if run.working:
            self.finish(task, run)
        try:
            self.until(task, "completed")
        except Wrong:
            return False
        return True

    def _why_not(self, task: Task, wanted: str, seen: str) -> str:
        """The code for a task that should have been `wanted`, and is `seen`."""
        run = next(reversed(self._agent_control.of(task.prompt)), None) if self._agent_control else None
        if seen == "completed" and run and run.works_on():
            return "FINISHED_TOO_SOON"
        if wanted == "running" and run:
            return "NOT_MARKED_RUNNING" if self._told_in_the_end(task, run) else "SPLIT_STORE"
        if wanted == "failed":
            return "FAILURE_NOT_TOLD"
        if wanted == "completed" and seen == "failed":
            return "FAILED_THOUGH_DONE"
        if seen == "running":
            return "STUCK_RUNNING"
        return "SPLIT_STORE" if run and not run.working else "PENDING_FOREVER"

    def completed(self, task: Task, answer: str | None = None, within: float | None = None) -> Json:
        """The task, once it is completed, with the agent's answer as its result."""
        body = self.until(task, "completed", within)
        result = body.get("result")
        if not isinstance(result, str):
            raise Wrong("RESULT_MISSING", f'"result" is {result!r}, where a string is due')
        if answer is not None and result != answer:
            raise Wrong("RESULT_WRONG", f'"result" is {result!r}, and the agent had answered {answer!r}')
        return body

    def _look_again(self, task: Task) -> str:
        """A last look at a task, for the timeline. A server that breaks at it says more than a task that waits."""
        try:
            answer = send_request(self.url, "GET", f"/agent/status/{task.task_id}", within=self.time_limit)
        except NoAnswer as error:
            return f"GET /agent/status/{task.task_id} → {error}"
        seen = f"GET /agent/status/{task.task_id} → {summarize(answer)}"
        self.refuse_5xx(answer, seen)
        if (
            isinstance(answer.json, dict)
            and answer.json.get("status") == "failed"
            and not self.agent_control.of(task.prompt)
        ):
            raise AgentNotCalled("FAILED_BEFORE_WORK", f"{seen}, error: {answer.json.get('error')!r}")
        return seen


_NO_STATUS = (
    "the task is wrapped into another object, or its field has another name.",
    'answer with the task itself, whose "status" is one of pending, running, completed, failed, cancelled.',
)
