"""A learner's web process and Celery workers, with a real Redis: starts, kills and inspects them."""

import time
from contextlib import suppress

import psutil

from tests.checkpoints.engine.actors.agent_control import Run
from tests.checkpoints.engine.actors.environment import POOL_PROCESSES, CheckEnvironment
from tests.checkpoints.engine.actors.task import Task
from tests.checkpoints.engine.diagnosis.failures import AgentNotCalled, Wrong
from tests.checkpoints.engine.diagnosis.framework_errors import last_error
from tests.checkpoints.engine.diagnosis.learner_output import raised_in
from tests.checkpoints.engine.processes.fork_server import LearnerProcess
from tests.checkpoints.engine.processes.jobs import READY
from tests.checkpoints.engine.processes.time_limits import START_SECONDS, load_factor

#: Celery may notice only at its next round, five seconds later, that a pool process is gone (`AsynPool.timers`).
NEXT_ROUND = 6.0
_UNREGISTERED = "Received unregistered task of type"


class CeleryDeployment:
    """An app whose work is done by Celery workers. `env` is set in the environment of both."""

    def __init__(self, environment: CheckEnvironment, *, workers: int = 1, **env: str) -> None:
        environment.must_have("worker.py")
        self._environment = environment
        self._env = {"REDIS_URL": environment.redis(), **env}
        self.workers: list[LearnerProcess] = []
        self._pools: dict[int, set[int]] = {}  # the pool processes that each worker started with
        # The web process comes first: a fault in both is reported for it, and an open gap of the stub before all else.
        coming = [environment.work(**self._env) for _ in range(workers)]
        self.app = environment.serve(port=0, **self._env)
        for worker in coming:
            self._ready(worker)

    def add_worker(self) -> None:
        """Start another worker, and return when it is ready."""
        self._ready(self._environment.work(**self._env))
        self._environment.timeline.note("a worker is started")

    def _ready(self, worker: LearnerProcess) -> None:
        deadline = time.monotonic() + START_SECONDS * load_factor()
        while READY.decode() not in worker.output:
            if (code := worker.exit_code) is not None:
                if last := _last_line(worker):
                    self._environment.timeline.note(f"the worker prints: {last}")
                raise Wrong("WORKER_DOES_NOT_START", f"the worker exited with code {code} before it was ready")
            if time.monotonic() > deadline:
                raise Wrong("WORKER_DOES_NOT_START", "the worker is running, but it is not ready")
            time.sleep(0.01)
        self.workers.append(worker)
        self._pools[worker.pid] = _children(worker.pid)

    def restart_web(self) -> None:
        """Kill the web process, and start a new process in its place."""
        assert self.app.process
        self.app.process.end()
        port = int(self.app.url.rpartition(":")[2])
        self.app = self._environment.serve(port=port, **self._env)
        self._environment.timeline.note("the web process is killed and restarted")

    def freeze_worker(self) -> None:
        """Suspend the oldest worker itself; its pool processes continue."""
        psutil.Process(self.workers[0].pid).suspend()

    def kill_worker(self) -> None:
        """Kill the oldest worker and its pool processes with SIGKILL."""
        self.workers.pop(0).end()
        self._environment.timeline.note("the worker is killed (kill -9)")

    def kill_pool_process(self, run: Run) -> None:
        """Kill the pool process in which the agent works; the worker itself lives on.

        Celery checks once when a pool process exits. If that is a moment too early, it checks again only five seconds
        later (`AsynPool.timers`). So the worker is suspended until the process is dead.
        """
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(run.pid)
            parent = process.parent()
            assert parent
            self._kill_of(parent, [process])
        run.gone.wait(self.app.time_limit)
        self._environment.timeline.note("the pool process that runs the agent is killed (kill -9)")

    def kill_pool(self) -> None:
        """Kill all pool processes of the oldest worker; the worker itself lives on."""
        worker = psutil.Process(self.workers[0].pid)
        self._kill_of(worker, worker.children())
        self._environment.timeline.note("the pool process that sends the callback is killed (kill -9)")

    def _kill_of(self, parent: psutil.Process, processes: list[psutil.Process]) -> None:
        self._pools.pop(parent.pid, None)
        parent.suspend()
        deadline = time.monotonic() + self.app.time_limit
        with suppress(psutil.NoSuchProcess):
            for process in processes:
                process.kill()
            while (
                any(process.status() != psutil.STATUS_ZOMBIE for process in processes) and time.monotonic() < deadline
            ):
                time.sleep(0.001)
        parent.resume()

    def message_of(self, task: Task) -> str:
        """The message of a task that a worker is running now; empty if it is already acknowledged."""
        return self._environment.broker.taken(task.task_id)

    def deliver_again(self, task: Task, message: str, times: int) -> None:
        """Make the broker deliver a message `times` more times."""
        for _ in range(times):
            self._environment.broker.deliver(message)
        again = "again" if times == 1 else f"{times} more times"
        self._environment.timeline.note(f"the broker delivers the message of {task.task_id} {again}")

    def started(self, task: Task, number: int = 1, within: float | None = None) -> Run:
        """The agent's run for a task, which must start in time, in a process of a worker."""
        within = within or self.app.time_limit
        if self.app.agent_control.wait_for(task.prompt, within, number) is None:
            within = NEXT_ROUND if self.pool_has_changed else 0.01
        try:
            run = self.app.started(task, number, within)
        except AgentNotCalled as wrong:
            if better := self._why_not_taken(task) or self._broke(task, wrong):
                raise better from None
            raise
        self.must_be_in_a_worker(run)
        return run

    @property
    def pool_has_changed(self) -> bool:
        """Whether a pool process is missing or was replaced, as with `worker_max_tasks_per_child`."""
        now = {worker.pid: _children(worker.pid) for worker in self.workers}
        return any(len(pool) < POOL_PROCESSES or pool != self._pools.get(pid, pool) for pid, pool in now.items())

    def must_be_in_a_worker(self, run: Run) -> None:
        """Check that the agent works in a worker."""
        try:
            family = {run.pid, *(parent.pid for parent in psutil.Process(run.pid).parents())}
        except psutil.NoSuchProcess:
            return  # already gone: other checks cover that
        if family.isdisjoint(worker.pid for worker in self.workers):
            where = (
                "in the web process" if self.app.process and self.app.process.pid in family else "in another process"
            )
            raise Wrong("NOT_IN_THE_WORKER", f"the agent works {where}, not in the worker")

    def forget_what_was_raised(self) -> None:
        """Ignore the workers' logs: an exception that the agent had to raise would be shown as the learner's error."""
        self._environment.processes = [
            process for process in self._environment.processes if process not in self.workers
        ]

    def _why_not_taken(self, task: Task) -> Wrong | None:
        for worker in self.workers:
            if f"KeyError: '{task.task_id}'" in worker.output:
                return Wrong(
                    "PENDING_FOREVER",
                    f"a worker took {task.task_id}, but found no record of it",
                    likely="the id is sent to the queue before the record is saved, and a worker may be faster.",
                    next_step="save the record first, then send its id.",
                )
            if _UNREGISTERED in worker.output:
                return Wrong("UNREGISTERED_TASK", "the worker logs: Received unregistered task")
            if (code := worker.exit_code) is not None:
                return Wrong("CRASHED", f"the worker exited with code {code}")
        return None

    def _broke(self, task: Task, wrong: Wrong) -> Wrong | None:
        """The diagnosis of a failed task whose agent was never called: the task function raised in the worker."""
        with suppress(Wrong):
            if self.app.agent_control.of(task.prompt) or self.app.status(task, note=False)["status"] != "failed":
                return None
            self._environment.timeline.note(wrong.seen)
            output = next(filter(None, (last_error(worker.output) for worker in self.workers)), "")
            named = any(map(raised_in, self.workers))  # shown with its line, which says more
            if "coroutine" in output:
                likely = "`work` is an `async def`: Celery calls it but does not await it, so none of it ran."
                next_step = "make `work` a plain `def` that calls `run_agent`. It may block: it has its own process."
            else:
                likely = "a worker took the task, and `work` itself raised before it called the agent."
                next_step = "look at the error above: the fault is in `work`, not in the agent."
            seen = f"the worker printed {output}" if output and not named else ""
            return Wrong("FAILED_BEFORE_WORK", seen, likely, next_step)
        return None


def _children(pid: int) -> set[int]:
    """The running children of a process, without zombies that Celery has not reaped yet."""
    children = set()
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(pid).children():
            if child.status() != psutil.STATUS_ZOMBIE:
                children.add(child.pid)
    return children


def _last_line(worker: LearnerProcess) -> str:
    """The last line that a worker printed; empty if a line of the learner raised it, because that is shown anyway."""
    lines = [line.strip() for line in worker.output.splitlines() if line.strip()]
    return lines[-1] if lines and not raised_in(worker) else ""
