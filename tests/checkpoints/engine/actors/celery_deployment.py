"""A learner's web process and Celery workers, over a real Redis: started, killed, and asked who does the work."""

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

#: Celery may see only at its next round, five seconds later, that a process of its pool is gone (`AsynPool.timers`).
NEXT_ROUND = 6.0
_UNREGISTERED = "Received unregistered task of type"


class CeleryDeployment:
    """An app whose work is done by Celery workers. `env` is what both find in their environment."""

    def __init__(self, environment: CheckEnvironment, *, workers: int = 1, **env: str) -> None:
        environment.must_have("worker.py")
        self._environment = environment
        self._env = {"REDIS_URL": environment.redis(), **env}
        self.workers: list[LearnerProcess] = []
        self._pools: dict[int, set[int]] = {}  # the processes that each worker began with
        # The web process is asked first: what is wrong with both is told of it, and a stub's gap before all.
        coming = [environment.work(**self._env) for _ in range(workers)]
        self.app = environment.serve(port=0, **self._env)
        for worker in coming:
            self._ready(worker)

    def add_worker(self) -> None:
        """Start one more worker, and return when it is ready."""
        self._ready(self._environment.work(**self._env))
        self._environment.timeline.note("a worker is started")

    def _ready(self, worker: LearnerProcess) -> None:
        deadline = time.monotonic() + START_SECONDS * load_factor()
        while READY.decode() not in worker.output:
            if (code := worker.exit_code) is not None:
                if last := _last_line(worker):
                    self._environment.timeline.note(f"the worker prints: {last}")
                raise Wrong("WORKER_DOES_NOT_START", f"the worker ended with exit code {code} before it was ready")
            if time.monotonic() > deadline:
                raise Wrong("WORKER_DOES_NOT_START", "the worker runs, and does not get ready")
            time.sleep(0.01)
        self.workers.append(worker)
        self._pools[worker.pid] = _children(worker.pid)

    def restart_web(self) -> None:
        """Kill the web process, and start another in its place."""
        assert self.app.process
        self.app.process.end()
        port = int(self.app.url.rpartition(":")[2])
        self.app = self._environment.serve(port=port, **self._env)
        self._environment.timeline.note("the web process is killed, and started again")

    def freeze_worker(self) -> None:
        """Let the oldest worker itself stand still; the processes of its pool go on."""
        psutil.Process(self.workers[0].pid).suspend()

    def kill_worker(self) -> None:
        """Kill the oldest worker and its pool processes with SIGKILL."""
        self.workers.pop(0).end()
        self._environment.timeline.note("the worker is killed (kill -9)")

    def kill_pool_process(self, run: Run) -> None:
        """Kill the one process of a worker in which the agent works; the worker itself lives on.

        Celery looks once when a process of its pool goes. When that is a moment too early, it looks again only five
        seconds later (`AsynPool.timers`). So it is let look when there is something to see.
        """
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(run.pid)
            parent = process.parent()
            assert parent
            self._kill_of(parent, [process])
        run.gone.wait(self.app.time_limit)
        self._environment.timeline.note("the worker's process in which the agent works is killed (kill -9)")

    def kill_pool(self) -> None:
        """Kill all processes of the oldest worker's pool; the worker itself lives on."""
        worker = psutil.Process(self.workers[0].pid)
        self._kill_of(worker, worker.children())
        self._environment.timeline.note("the worker's process that tells it is killed (kill -9)")

    def _kill_of(self, parent: psutil.Process, processes: list[psutil.Process]) -> None:
        self._pools.pop(parent.pid, None)
        parent.suspend()
        deadline = time.monotonic() + self.app.time_limit
        with suppress(psutil.NoSuchProcess):
            for process in processes:
                process.kill()
            while any(one.status() != psutil.STATUS_ZOMBIE for one in processes) and time.monotonic() < deadline:
                time.sleep(0.001)
        parent.resume()

    def message_of(self, task: Task) -> str:
        """The message of a task that is at work just now; empty when it is acknowledged already."""
        return self._environment.broker.taken(task.task_id)

    def deliver_again(self, task: Task, message: str, times: int) -> None:
        """Let the broker deliver a message so many times more."""
        for _ in range(times):
            self._environment.broker.deliver(message)
        again = "once more" if times == 1 else f"{times} times more"
        self._environment.timeline.note(f"the broker delivers the message of {task.task_id} {again}")

    def started(self, task: Task, number: int = 1, within: float | None = None) -> Run:
        """The agent's run for a task, which must begin in time, in a worker's process."""
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
        """Whether a place in a pool is empty, or was filled again, as `worker_max_tasks_per_child` asks for."""
        now = {worker.pid: _children(worker.pid) for worker in self.workers}
        return any(len(pool) < POOL_PROCESSES or pool != self._pools.get(pid, pool) for pid, pool in now.items())

    def must_be_in_a_worker(self, run: Run) -> None:
        """See that an agent works where it should."""
        try:
            family = {run.pid, *(parent.pid for parent in psutil.Process(run.pid).parents())}
        except psutil.NoSuchProcess:
            return  # gone already: then another check sees to it
        if family.isdisjoint(worker.pid for worker in self.workers):
            where = "in the web process" if self.app.process and self.app.process.pid in family else "somewhere else"
            raise Wrong("NOT_IN_THE_WORKER", f"the agent works {where}, and not in the worker")

    def forget_what_was_raised(self) -> None:
        """What the agent was told to raise is in the workers' logs, and would be shown as the learner's error."""
        self._environment.processes = [
            process for process in self._environment.processes if process not in self.workers
        ]

    def _why_not_taken(self, task: Task) -> Wrong | None:
        for worker in self.workers:
            if f"KeyError: '{task.task_id}'" in worker.output:
                return Wrong(
                    "PENDING_FOREVER",
                    f"a worker took {task.task_id}, and found no record of it",
                    likely="the id is handed over before the record is saved, and a worker may be quick.",
                    next_step="save the record first, then hand its id over.",
                )
            if _UNREGISTERED in worker.output:
                return Wrong("UNREGISTERED_TASK", "the worker says: received unregistered task")
            if (code := worker.exit_code) is not None:
                return Wrong("CRASHED", f"the worker ended with exit code {code}")
        return None

    def _broke(self, task: Task, wrong: Wrong) -> Wrong | None:
        """What it means that a task is told as failed, and its agent was never called: a worker took it, and broke."""
        with suppress(Wrong):
            if self.app.agent_control.of(task.prompt) or self.app.status(task, note=False)["status"] != "failed":
                return None
            self._environment.timeline.note(wrong.seen)
            output = next(filter(None, (last_error(worker.output) for worker in self.workers)), "")
            named = any(map(raised_in, self.workers))  # with its line, which says more
            if "coroutine" in output:
                likely = "`work` is an `async def`: Celery calls it and does not await it, so nothing of it was done."
                next_step = (
                    "make `work` a plain `def` that calls `run_agent`, which may block: it has a process for it."
                )
            else:
                likely = "a worker took the task, and `work` itself raised before it had called the agent."
                next_step = "look at what is named above: that, and not the agent, is what failed."
            seen = f"the worker printed {output}" if output and not named else ""
            return Wrong("FAILED_BEFORE_WORK", seen, likely, next_step)
        return None


def _children(pid: int) -> set[int]:
    """The children of a process that run. One that has ended stays as a zombie until Celery looks."""
    children = set()
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(pid).children():
            if child.status() != psutil.STATUS_ZOMBIE:
                children.add(child.pid)
    return children


def _last_line(worker: LearnerProcess) -> str:
    """What a worker printed last; empty where a line of the learner raised it: that is shown anyway."""
    lines = [line.strip() for line in worker.output.splitlines() if line.strip()]
    return lines[-1] if lines and not raised_in(worker) else ""
