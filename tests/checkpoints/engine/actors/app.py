"""A learner's app, or an external server, as its client sees it: submits and polls tasks, and diagnoses everything
unexpected.

A diagnosis follows from three facts: the response, what the agent was doing at that moment, and what was observed of
the task before.
"""

import json
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet

from tests.checkpoints.engine.actors.agent_control import Run
from tests.checkpoints.engine.actors.external import external_run, submit_is_late
from tests.checkpoints.engine.actors.server import Server
from tests.checkpoints.engine.actors.task import FINISHED, WORDS, Json, Task
from tests.checkpoints.engine.actors.unique import unique_hex
from tests.checkpoints.engine.diagnosis.failures import AgentNotCalled, Wrong, WrongStatus
from tests.checkpoints.engine.diagnosis.framework_errors import RETURNED, refused_by_its_type, submit_refused
from tests.checkpoints.engine.http.http_client import NoResponse, Response, send_request, summarize
from tests.checkpoints.engine.processes.background import in_background


class App(Server):
    """A server that accepts prompts, and reports the status of their tasks."""

    _tasks = 0

    # Submit

    def new_prompt(self) -> str:
        """A unique prompt."""
        self._tasks += 1
        prompt = f"Compare vendor {unique_hex(4)}"
        self._expect(prompt)
        return prompt

    def _expect(self, prompt: str) -> None:
        if self._agent_control:
            self._agent_control.expected.append(prompt)

    def submit(self, prompt: str | None = None, **more: object) -> Task:
        """Submit a prompt, which must be accepted at once. Returns the task."""
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
        """Submit the prompt of a task again, which makes a new task."""
        self._tasks += 1
        return self.submit(task.prompt)

    def accepted(self, answer: Response, prompt: str, name: str = "the task") -> Task:
        """The task in the response to a submit, which must be a 202."""
        self.refuse_5xx(answer)
        self.must_be_there("POST", "/agent/submit", answer)
        body = answer.json
        if answer.status == 422:
            raise Wrong("WRONG_STATUS_CODE", *submit_refused(body))
        if answer.status != 202:
            raise Wrong("WRONG_STATUS_CODE", f"the status code is {answer.status}, expected 202 Accepted")
        if not isinstance(body, dict):
            raise Wrong("NOT_JSON", f"the body is {answer.text or 'empty'}, expected a JSON object")
        if "task_id" not in body:
            raise Wrong("NO_TASK_ID", f'the body has the fields {sorted(body)}, but no "task_id"')
        task_id = body["task_id"]
        if not isinstance(task_id, str) or not task_id:
            raise Wrong("NO_TASK_ID", f'"task_id" is {json.dumps(task_id)}, expected a non-empty string')
        self.timeline.call(task_id, f"{{{name}}}")
        return Task(task_id, prompt, body)

    def _submitted(self, prompt: str, body: Json) -> Response:
        asked = in_background(lambda: send_request(self.url, "POST", "/agent/submit", body, within=4 * self.time_limit))
        try:
            answer = asked.result(self.time_limit)
        except NotYet:
            self.timeline.amend(f" → no response within {self.time_limit:g} s")
            raise self._submit_is_late(prompt, asked) from None
        except NoResponse as error:
            self.timeline.amend(f" → {error}")
            raise self.silent(error, "/agent/submit") from None
        self.timeline.amend(f" → {summarize(answer)}")
        return answer

    def _submit_is_late(self, prompt: str, asked: "Future[Response]") -> Wrong:
        if ended := self.ended():
            return Wrong("CRASHED", ended)
        if self.external:
            return submit_is_late(asked, self.time_limit)
        runs = self.agent_control.of(prompt)
        if not runs:
            return self.silent(NoResponse("", late=True), "/agent/submit")
        self.timeline.note("the agent is still working, and is now allowed to finish")
        runs[0].finish()
        try:
            self.timeline.note(f"submit responds → {summarize(asked.result(self.time_limit))}")
        except (NoResponse, NotYet):
            return Wrong("NO_ANSWER")
        return Wrong("SUBMIT_BLOCKS")

    # The agent

    def started(self, task: Task, number: int = 1, within: float | None = None) -> Run:
        """The agent's run for a task, which must start in time."""
        if self.external:
            return external_run(self, task)
        run = self.agent_control.wait_for(task.prompt, within or self.time_limit, number)
        if run is None:
            if ended := self.ended():
                raise Wrong("CRASHED", ended)
            if others := [
                other.prompt for other in self.agent_control.runs if other.prompt not in self.agent_control.expected
            ]:
                raise Wrong("WRONG_PROMPT", f"the agent was called with {others[0]!r}, instead of the prompt")
            self.timeline.note("the agent was not called")
            raise AgentNotCalled("PENDING_FOREVER", self._look_again(task))
        self.timeline.note(f"the agent starts on {task.task_id}")
        return run

    def finish(self, task: Task, run: Run) -> str:
        """Let the agent finish a task. Returns its answer."""
        answer = run.finish()
        self.timeline.note(f"the agent finishes {task.task_id}")
        return answer

    def fail(self, task: Task, run: Run, message: str = "the model refused", kind: str = "RuntimeError") -> None:
        """Make the agent fail at a task: it raises a `RuntimeError`, or a `TimeoutError`."""
        run.fail(message, kind)
        self.timeline.note(f"the agent raises {kind} on {task.task_id}")

    # Status

    def status(self, task: Task, note: bool = True) -> Json:
        """The task that the status route returns now."""
        answer = self.request("GET", f"/agent/status/{task.task_id}", note=note)
        body = answer.json
        seen = "" if note else f"GET /agent/status/{task.task_id} → {summarize(answer)}"
        if answer.status == 404:
            raise Wrong("RECORD_TOO_LATE" if task.seen in {"pending", "running"} else "FORGOTTEN_TOO_SOON", seen)
        if answer.status != 200:
            seen = seen or f"the status code is {answer.status}, expected 200"
            raise Wrong("WRONG_STATUS_CODE", seen, *refused_by_its_type(body))
        if not isinstance(body, dict):
            raise Wrong("NOT_JSON", seen)
        if "status" not in body:
            raise WrongStatus(
                "WRONG_WORDS", seen or f'the body has the fields {sorted(body)}, but no "status"', *_NO_STATUS
            )
        word = body["status"]
        if not isinstance(word, str) or word not in WORDS:
            raise WrongStatus("WRONG_WORDS", seen or f"the status is {word!r}")
        back = WORDS[word] < WORDS[task.seen] or (task.seen in FINISHED and word != task.seen)
        if not task.finished and word in FINISHED:
            task.over = time.monotonic()
        before, task.seen = task.seen, word
        task.ran = task.ran or word == "running"
        if back:
            raise WrongStatus("STATUS_WENT_BACK", f"GET /agent/status/{task.task_id} → {word}, after {before}")
        return body

    def must_not_know(self, task_id: str = "never-given-out") -> None:
        """Check that the response for an unknown id is 404."""
        answer = self.request("GET", f"/agent/status/{task_id}")
        if answer.status == 404:
            return
        if isinstance(answer.json, dict) and answer.json.get("status_code") == 404:
            raise Wrong("UNKNOWN_ID_NOT_404", "", *RETURNED)
        raise Wrong("UNKNOWN_ID_NOT_404", "", *refused_by_its_type(answer.json))

    def until(self, task: Task, expected: str, within: float | None = None) -> Json:
        """The task, once it has this status. Diagnoses a task that does not reach it."""
        began = time.monotonic()
        within = within or self.time_limit
        while True:
            body = self.status(task, note=False)
            if body["status"] == expected or (
                expected == "running" and task.ran and self.external
            ):  # it does not wait for us
                self.timeline.note(f"GET /agent/status/{task.task_id} → 200 {body['status']}")
                return body
            over = time.monotonic() - began > within
            if over or body["status"] in FINISHED:
                still = "" if body["status"] in FINISHED else f"after {within:g} s of polling, still "
                error = f", error: {body['error']}" if body.get("error") else ""
                self.timeline.note(f"GET /agent/status/{task.task_id} → {still}200 {body['status']}{error}")
                raise Wrong(self._why_not(task, expected, body["status"]))
            time.sleep(0.02)

    def _completed_in_the_end(self, task: Task, run: Run) -> bool:
        """Whether a task that was not marked as running is completed once the agent has finished."""
        if run.working:
            self.finish(task, run)
        try:
            self.until(task, "completed")
        except Wrong:
            return False
        return True

    def _why_not(self, task: Task, expected: str, seen: str) -> str:
        """The diagnosis code for a task whose status should have become `expected`, and is `seen`."""
        run = next(reversed(self._agent_control.of(task.prompt)), None) if self._agent_control else None
        if seen == "completed" and run and run.works_on():
            return "FINISHED_TOO_SOON"
        if expected == "running" and run:
            return "NOT_MARKED_RUNNING" if self._completed_in_the_end(task, run) else "SPLIT_STORE"
        if expected == "failed":
            return "FAILURE_NOT_TOLD"
        if expected == "completed" and seen == "failed":
            return "FAILED_THOUGH_DONE"
        if seen == "running":
            return "STUCK_RUNNING"
        return "SPLIT_STORE" if run and not run.working else "PENDING_FOREVER"

    def completed(self, task: Task, answer: str | None = None, within: float | None = None) -> Json:
        """The task, once it is completed, with the agent's answer as its result."""
        body = self.until(task, "completed", within)
        result = body.get("result")
        if not isinstance(result, str):
            raise Wrong("RESULT_MISSING", f'"result" is {result!r}, expected a string')
        if answer is not None and result != answer:
            raise Wrong("RESULT_WRONG", f'"result" is {result!r}, but the agent returned {answer!r}')
        return body

    def _look_again(self, task: Task) -> str:
        """Poll a task a last time, for the timeline. An error in the response says more than a task that waits."""
        try:
            answer = send_request(self.url, "GET", f"/agent/status/{task.task_id}", within=self.time_limit)
        except NoResponse as error:
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
    "the task is wrapped in another object, or the field has another name.",
    'return the task itself. Its "status" is pending, running, completed, failed or cancelled.',
)
